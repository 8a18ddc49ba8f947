// Green threads in a C++ program that has never heard of Rust: values and exceptions come back through `join`, destructors run, and
// a thousand bodies wait at once on a few OS threads.
//
//     $ make -C examples/cpp_wrapper run
//     joined: 42
//     caught: the parcel is lost
//     three waited for the event
//     the sum of 1000 messages: 499500
//     1000 bodies wait, on fewer than 50 OS threads
//     objects alive: 0

#include "greenbridge.hpp"

#include <atomic>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

std::atomic<int> alive{0};

// Counts how many of it there are.
struct tracked {
    explicit tracked(int number) : number(number) { ++alive; }
    tracked(tracked &&other) noexcept : number(other.number) { ++alive; }
    ~tracked() { --alive; }
    int number;
};

std::ptrdiff_t os_threads() {
    return std::distance(std::filesystem::directory_iterator("/proc/self/task"), {});
}

void join_and_catch() {
    auto answer = greenbridge::spawn([] { return std::make_unique<int>(42); });
    std::cout << "joined: " << *answer.join() << "\n";

    auto lost = greenbridge::spawn([]() -> int {
        tracked on_the_stack(1);
        greenbridge::yield();
        throw std::runtime_error("the parcel is lost");
    });
    try {
        lost.join();
    } catch (const std::runtime_error &thrown) {
        std::cout << "caught: " << thrown.what() << "\n";
    }
    // One that throws and is never asked: its handle waits for it, and the exception is dropped.
    auto unasked = greenbridge::spawn([] { throw std::string("never seen"); });
}

void wait_for_event() {
    auto door = std::make_shared<greenbridge::event>();
    std::atomic<int> through{0};
    std::vector<greenbridge::join_handle<void>> guests;
    for (int guest = 0; guest < 3; ++guest) {
        guests.push_back(greenbridge::spawn([door, &through] {
            door->wait();
            ++through;
        }));
    }
    // An OS thread of C++ opens it.
    std::thread([door] { door->set(); }).join();
    guests.clear(); // Waits for all of them.
    std::cout << (through == 3 ? "three" : "not all") << " waited for the event\n";
}

void sum_up() {
    greenbridge::channel<tracked> numbers(4);
    auto summed = greenbridge::spawn([numbers] {
        long sum = 0;
        while (auto number = numbers.receive()) {
            sum += number->number;
        }
        return sum;
    });
    for (int number = 0; number < 1000; ++number) {
        numbers.send(tracked(number));
    }
    numbers.close();
    bool refused = !numbers.send(tracked(-1));
    std::cout << "the sum of 1000 messages: " << summed.join() << (refused ? "\n" : ", and one more\n");

    greenbridge::channel<tracked> left_behind(4);
    left_behind.send(tracked(1)); // Destroyed with the channel.
}

void wait_by_the_thousand() {
    auto door = std::make_shared<greenbridge::event>();
    greenbridge::channel<int> arrived(1000);
    std::vector<greenbridge::join_handle<void>> bodies;
    for (int body = 0; body < 1000; ++body) {
        bodies.push_back(greenbridge::spawn_interleaved([door, arrived, body] {
            arrived.send(body);
            door->wait();
        }));
    }
    for (int body = 0; body < 1000; ++body) {
        arrived.receive();
    }
    std::cout << "1000 bodies wait, on " << (os_threads() < 50 ? "fewer" : "more") << " than 50 OS threads\n";
    door->set();
}

} // namespace

int main() {
    join_and_catch();
    wait_for_event();
    sum_up();
    wait_by_the_thousand();
    std::cout << "objects alive: " << alive << "\n";
    return alive == 0 ? 0 : 1;
}
