// Green threads for C++17: a header over the C functions of `src/lib.rs`. Link with `-lgreenbridge_cpp`.
//
// A body may wait (for an event, a channel, a join) as if it had a thread of its own; only the green thread waits. All of this
// may be used from any thread, and the first use starts the runtime.
//
//  * What a body throws is caught before it could meet Rust, and thrown again by `join`.
//  * Each type owns what it stands for. Nothing here throws but `spawn`, `join`, and constructors.
//  * A body has 256 KiB of stack (GREENBRIDGE_STACK_SIZE).

#ifndef GREENBRIDGE_HPP
#define GREENBRIDGE_HPP

#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <variant>

extern "C" {
struct gbcpp_join_handle;
struct gbcpp_event;
struct gbcpp_channel;

gbcpp_join_handle *gbcpp_spawn(void (*body)(void *), void *context, int interleaved) noexcept;
int gbcpp_join(gbcpp_join_handle *) noexcept;
void gbcpp_detach(gbcpp_join_handle *) noexcept;
void gbcpp_yield(void) noexcept;

gbcpp_event *gbcpp_event_new(void) noexcept;
void gbcpp_event_set(const gbcpp_event *) noexcept;
void gbcpp_event_wait(const gbcpp_event *) noexcept;
void gbcpp_event_free(gbcpp_event *) noexcept;

gbcpp_channel *gbcpp_channel_new(std::size_t capacity) noexcept;
int gbcpp_channel_send(const gbcpp_channel *, void *message) noexcept;
void *gbcpp_channel_receive(const gbcpp_channel *) noexcept;
void gbcpp_channel_close(const gbcpp_channel *) noexcept;
void gbcpp_channel_free(gbcpp_channel *) noexcept;
}

namespace greenbridge {

// The runtime could not be started, or a panic of Rust's ended a body.
struct error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

namespace detail {

// What comes of a body: shared by the green thread and its handle, so that each may end first.
template <typename T> struct outcome {
    // `void` is no type for a variable.
    std::optional<std::conditional_t<std::is_void_v<T>, std::monostate, T>> value;
    std::exception_ptr thrown;
};

// A body on its way to its green thread.
template <typename T, typename Body> struct job {
    Body body;
    std::shared_ptr<outcome<T>> result;

    // What Rust calls. It throws nothing.
    static void run(void *context) noexcept {
        std::unique_ptr<job> self(static_cast<job *>(context));
        try {
            if constexpr (std::is_void_v<T>) {
                self->body();
                self->result->value.emplace();
            } else {
                self->result->value.emplace(self->body());
            }
        } catch (...) {
            self->result->thrown = std::current_exception();
        }
    }
};

template <typename P> P *made(P *pointer) {
    if (pointer == nullptr) {
        throw error("the runtime could not be started");
    }
    return pointer;
}

} // namespace detail

// A green thread that has been started. Its destructor waits for it, as that of std::jthread does.
template <typename T> class [[nodiscard]] join_handle {
  public:
    join_handle(join_handle &&other) noexcept
        : handle(std::exchange(other.handle, nullptr)), result(std::move(other.result)) {}

    join_handle &operator=(join_handle &&other) noexcept {
        if (this != &other) {
            wait();
            handle = std::exchange(other.handle, nullptr);
            result = std::move(other.result);
        }
        return *this;
    }

    ~join_handle() { wait(); }

    // Waits for its end, and returns what the body returned, or throws what it threw. Once.
    T join() {
        if (handle == nullptr) {
            throw error("a green thread is joined once");
        }
        if (gbcpp_join(std::exchange(handle, nullptr)) != 0) {
            throw error("a panic ended the body");
        }
        auto done = std::move(result);
        if (done->thrown) {
            std::rethrow_exception(done->thrown);
        }
        if constexpr (!std::is_void_v<T>) {
            return std::move(*done->value);
        }
    }

    // Lets it go on by itself. What it throws is lost.
    void detach() noexcept {
        if (handle != nullptr) {
            gbcpp_detach(std::exchange(handle, nullptr));
        }
    }

    bool joinable() const noexcept { return handle != nullptr; }

  private:
    template <typename Body> friend auto start(Body &&, bool) -> join_handle<std::invoke_result_t<std::decay_t<Body>>>;

    join_handle(gbcpp_join_handle *handle, std::shared_ptr<detail::outcome<T>> result)
        : handle(handle), result(std::move(result)) {}

    void wait() noexcept {
        if (handle != nullptr) {
            gbcpp_join(std::exchange(handle, nullptr));
        }
    }

    gbcpp_join_handle *handle;
    std::shared_ptr<detail::outcome<T>> result;
};

template <typename Body>
auto start(Body &&body, bool interleaved) -> join_handle<std::invoke_result_t<std::decay_t<Body>>> {
    using T = std::invoke_result_t<std::decay_t<Body>>;
    using Job = detail::job<T, std::decay_t<Body>>;
    auto result = std::make_shared<detail::outcome<T>>();
    auto job = std::make_unique<Job>(Job{std::forward<Body>(body), result});
    gbcpp_join_handle *handle = detail::made(gbcpp_spawn(&Job::run, job.get(), interleaved));
    job.release(); // The green thread owns it now.
    return join_handle<T>(handle, std::move(result));
}

// Starts a green thread that runs `body()`. While the body waits, it keeps its OS thread: thread_local variables, locks and
// exceptions stay as they are.
template <typename Body> auto spawn(Body &&body) { return start(std::forward<Body>(body), false); }

// As `spawn`, for thousands: while a body waits, other interleaved ones run on its OS thread. The body must then hold no lock of
// that thread, expect nothing of thread_local variables, and wait neither in a handler nor in a destructor that an exception runs.
template <typename Body> auto spawn_interleaved(Body &&body) { return start(std::forward<Body>(body), true); }

// Lets other green threads go first.
inline void yield() noexcept { gbcpp_yield(); }

// Something that happens once. Whoever sets it and whoever waits for it must be done before it goes: share it if in doubt.
class event {
  public:
    event() : handle(detail::made(gbcpp_event_new())) {}
    event(const event &) = delete;
    event &operator=(const event &) = delete;
    ~event() { gbcpp_event_free(handle); }

    void set() const noexcept { gbcpp_event_set(handle); }
    void wait() const noexcept { gbcpp_event_wait(handle); }

  private:
    gbcpp_event *handle;
};

// A channel from many to many. A copy is the same channel; the last one to go frees it, and what is still in it.
template <typename T> class channel {
  public:
    // It holds up to `capacity` messages; with 0 each sender waits for its receiver.
    explicit channel(std::size_t capacity) : handle(detail::made(gbcpp_channel_new(capacity)), &free) {}

    // Waits while it is full. False if it is closed.
    bool send(T message) const {
        auto boxed = std::make_unique<T>(std::move(message));
        if (gbcpp_channel_send(handle.get(), boxed.get()) != 0) {
            return false;
        }
        boxed.release(); // The receiver owns it now.
        return true;
    }

    // Waits while it is empty. Nothing if it is closed as well.
    std::optional<T> receive() const {
        std::unique_ptr<T> boxed(static_cast<T *>(gbcpp_channel_receive(handle.get())));
        return boxed ? std::optional<T>(std::move(*boxed)) : std::nullopt;
    }

    // Nothing can be sent any more; what is in it can still be received.
    void close() const noexcept { gbcpp_channel_close(handle.get()); }

  private:
    static void free(gbcpp_channel *channel) noexcept {
        gbcpp_channel_close(channel);
        while (void *message = gbcpp_channel_receive(channel)) {
            delete static_cast<T *>(message);
        }
        gbcpp_channel_free(channel);
    }

    std::shared_ptr<gbcpp_channel> handle;
};

} // namespace greenbridge

#endif
