/* The C half: a list that calls back for each of its items, one after the other. It knows nothing of waiting. */
#include <stdlib.h>

struct item {
    long value;
    struct item *next;
};

void list_free(struct item *list) {
    while (list != 0) {
        struct item *next = list->next;
        free(list);
        list = next;
    }
}

/* The items 1 to `count`; null if there is no memory for them. */
struct item *list_new(long count) {
    struct item *list = 0;
    for (long value = count; value > 0; value--) {
        struct item *item = malloc(sizeof *item);
        if (item == 0) {
            list_free(list);
            return 0;
        }
        *item = (struct item){value, list};
        list = item;
    }
    return list;
}

/* The sum of what `price` says of each item; -1 as soon as it says something negative. */
long list_sum(const struct item *list, long (*price)(void *context, long value), void *context) {
    long sum = 0;
    for (; list != 0; list = list->next) {
        long more = price(context, list->value);
        if (more < 0) {
            return -1;
        }
        sum += more;
    }
    return sum;
}
