/* C that calls back: with no argument and with many, and in a loop. */

#include <stdint.h>

extern int64_t callback_with_0(void);
extern int64_t callback_with_1(int64_t);
extern int64_t callback_with_2(int64_t, int8_t);
extern int64_t callback_with_3(int64_t, int8_t, double);
extern int64_t callback_with_4(int64_t, int8_t, double, int16_t);
extern int64_t callback_with_5(int64_t, int8_t, double, int16_t, float);
extern int64_t callback_with_6(int64_t, int8_t, double, int16_t, float, int32_t);
extern int64_t callback_with_7(int64_t, int8_t, double, int16_t, float, int32_t, uint64_t);
extern int64_t callback_with_8(int64_t, int8_t, double, int16_t, float, int32_t, uint64_t, uint8_t);
extern int64_t callback_with_9(int64_t, int8_t, double, int16_t, float, int32_t, uint64_t, uint8_t, int64_t);

int64_t callback_apply(int64_t (*f)(int64_t), int64_t argument) {
    return f(argument) + 1;
}

int64_t callback_repeat(int64_t (*f)(int64_t), int64_t times) {
    int64_t sum = 0;
    for (int64_t turn = 0; turn < times; turn++) {
        sum += f(turn);
    }
    return sum;
}

/* Calls the export that takes `count` arguments. */
int64_t callback_with(int count) {
    switch (count) {
    case 0: return callback_with_0();
    case 1: return callback_with_1(1);
    case 2: return callback_with_2(1, -2);
    case 3: return callback_with_3(1, -2, 3.0);
    case 4: return callback_with_4(1, -2, 3.0, -4);
    case 5: return callback_with_5(1, -2, 3.0, -4, 5.0f);
    case 6: return callback_with_6(1, -2, 3.0, -4, 5.0f, -6);
    case 7: return callback_with_7(1, -2, 3.0, -4, 5.0f, -6, 7);
    case 8: return callback_with_8(1, -2, 3.0, -4, 5.0f, -6, 7, 8);
    case 9: return callback_with_9(1, -2, 3.0, -4, 5.0f, -6, 7, 8, -9);
    default: return 0;
    }
}
