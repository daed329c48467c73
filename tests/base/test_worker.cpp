#include <cbir/base/worker.hpp>

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstring>
#include <thread>
#include <vector>

#include <cbir/base/file.hpp>
#include <cbir/base/memory.hpp>
#include <tests/catch.hpp>

using namespace cbir;
using namespace std::chrono_literals;

namespace {

/// Does what the request says.
WorkerReply obey(std::string_view order, Bytes body) {
  if (order == "abort") std::abort();
  if (order == "exit") _exit(7);
  if (order == "be killed") raise(SIGKILL);
  if (order == "throw") throw std::runtime_error("nobody catches this");
  while (order == "hang") pause();
  if (order == "number") return {.head = std::to_string(getpid()), .body = {}};
  if (order == "interrupt yourself")
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) raise(number);
  if (order == "take 200 MB") {
    limit_further_memory(64 << 20);
    try {
      return {.head = std::string(200 << 20, 'x'), .body = {}};
    } catch (const std::bad_alloc&) {
      return {.head = "there is no memory", .body = {}};
    }
  }
  const auto* const bytes = reinterpret_cast<const std::uint8_t*>(body.data());
  return {.head = std::string(order), .body = {bytes, bytes + body.size()}};
}

std::string ask(const WorkerProcesses& workers, std::string_view order, std::string_view body = {}) {
  std::string answer;
  workers.call(order, as_bytes(body),
               [&](std::string_view head, Bytes rest) { answer = std::string(head) + std::string(as_text(rest)); });
  return answer;
}

WorkerEnd end_of(const WorkerProcesses& workers, std::string_view order) {
  try {
    ask(workers, order);
  } catch (const WorkerFailure& failure) {
    return failure.end();
  }
  FAIL("it did not end");
  return {};
}

bool is_there(pid_t process) { return kill(process, 0) == 0; }

}  // namespace

TEST_CASE("a worker answers, and what was written does not show in what is short") {
  const WorkerProcesses workers(obey, 60s);
  CHECK(ask(workers, "one", "two") == "onetwo");
  CHECK(ask(workers, "").empty());
  const std::string large(100 << 20, 'y');
  CHECK(ask(workers, "large:", large) == "large:" + large);
  CHECK(ask(workers, "small", "x") == "smallx");
  CHECK(workers.peak_memory() > 100 << 20);
}

TEST_CASE("calls at once have workers of their own, which are used again") {
  const WorkerProcesses workers(obey, 60s);
  const std::string first = ask(workers, "number");
  CHECK(ask(workers, "number") == first);
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 200; ++i) {
        const std::string text = std::to_string(t) + ":" + std::to_string(i);
        if (ask(workers, text, text) != text + text) ++wrong;
      }
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}

TEST_CASE("a worker that ends is replaced, and how it ended is said") {
  const WorkerProcesses workers(obey, 60s);
  const std::string first = ask(workers, "number");
  CHECK(end_of(workers, "abort") == WorkerEnd{WorkerEnd::Kind::signal, SIGABRT});
  CHECK(ask(workers, "number") != first);
  CHECK(end_of(workers, "exit") == WorkerEnd{WorkerEnd::Kind::status, 7});
  CHECK(end_of(workers, "throw").kind == WorkerEnd::Kind::status);
  CHECK(end_of(WorkerProcesses(obey, 200ms), "hang") == WorkerEnd{WorkerEnd::Kind::overtime});
  CHECK(end_of(workers, "be killed") == WorkerEnd{WorkerEnd::Kind::signal, SIGKILL});
  CHECK(ask(workers, "still", " there") == "still there");
}

TEST_CASE("a worker that was killed while it waited is not the next request's fault") {
  const WorkerProcesses workers(obey, 60s);
  const pid_t worker = std::stoi(ask(workers, "number"));
  kill(worker, SIGKILL);
  CHECK(std::stoi(ask(workers, "number")) != worker);
}

TEST_CASE("what takes the reply may throw") {
  const WorkerProcesses workers(obey, 60s);
  const std::string first = ask(workers, "number");
  CHECK_THROWS_AS(workers.call("x", {}, [](std::string_view, Bytes) { throw DamagedFile("no"); }), DamagedFile);
  CHECK(ask(workers, "number") == first);
}

TEST_CASE("workers do not hear what a terminal sends to all") {
  const WorkerProcesses workers(obey, 60s);
  CHECK(ask(workers, "interrupt yourself") == "interrupt yourself");
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST_CASE("memory beyond the limit is not to be had") {
  const WorkerProcesses workers(obey, 60s);
  CHECK(ask(workers, "take 200 MB") == "there is no memory");
  CHECK(ask(workers, "still", " there") == "still there");
}
#endif

TEST_CASE("workers are gone when their owner is") {
  pid_t worker = 0;
  {
    const WorkerProcesses workers(obey, 60s);
    worker = std::stoi(ask(workers, "number"));
    CHECK(is_there(worker));
  }
  CHECK_FALSE(is_there(worker));
}

TEST_CASE("workers end with the process that made them, however it ends") {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const Fd reader(ends[0]);
  const pid_t owner = fork();
  if (owner == 0) {
    const WorkerProcesses workers(obey, 60s);
    const pid_t worker = std::stoi(ask(workers, "number"));
    // The pipe stays open in the worker, too, until it ends.
    if (write(ends[1], &worker, sizeof worker) == sizeof worker) raise(SIGKILL);
    _exit(1);
  }
  close(ends[1]);
  pid_t worker = 0;
  REQUIRE(read(reader.get(), &worker, sizeof worker) == sizeof worker);
  struct pollfd end {
    reader.get(), POLLIN, 0
  };
  REQUIRE(poll(&end, 1, 60'000) == 1);  // the end of the file: nobody is left
  CHECK(read(reader.get(), &worker, sizeof worker) == 0);
  waitpid(owner, nullptr, 0);
}
