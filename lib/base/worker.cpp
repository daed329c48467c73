#include <cbir/base/worker.hpp>

#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <utility>

#include <cbir/base/file.hpp>

#include "shared_memory.hpp"
#include "worker_process.hpp"

namespace cbir {
namespace {

/// Two ends of a socket that keeps messages apart.
std::pair<Fd, Fd> socket_pair() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    throw ResourceLimit(fmt::format("no socket can be made: {}", std::strerror(errno)));
  return {Fd(ends[0]), Fd(ends[1])};
}

ResourceLimit no_process(int error) {
  return ResourceLimit(fmt::format("no further process can be started: {}", std::strerror(error)));
}

/// A message with two descriptors.
bool send_with(int socket, const ForkOrder& order, int first, int second) {
  struct iovec data {
    const_cast<ForkOrder*>(&order), sizeof order
  };
  const int fds[2] = {first, second};
  alignas(cmsghdr) char room[CMSG_SPACE(sizeof fds)]{};
  struct msghdr message {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = room;
  message.msg_controllen = sizeof room;
  cmsghdr* const head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(sizeof fds);
  std::memcpy(CMSG_DATA(head), fds, sizeof fds);
  return sendmsg(socket, &message, MSG_NOSIGNAL) == sizeof order;
}

std::uint64_t peak_memory_of(pid_t process) {
  std::FILE* const file = std::fopen(fmt::format("/proc/{}/status", process).c_str(), "re");
  if (!file) return 0;
  unsigned long kilobytes = 0;
  for (char line[256]; std::fgets(line, sizeof line, file);)
    if (std::sscanf(line, "VmHWM: %lu", &kilobytes) == 1) break;
  std::fclose(file);
  return std::uint64_t{kilobytes} * 1024;
}

std::string describe(const WorkerEnd& end) {
  switch (end.kind) {
    case WorkerEnd::Kind::signal:
      return fmt::format("the process was ended by signal {}", end.number);
    case WorkerEnd::Kind::status:
      return fmt::format("the process ended with status {}", end.number);
    case WorkerEnd::Kind::overtime:
      break;
  }
  return "the process took too long";
}

}  // namespace

WorkerFailure::WorkerFailure(const WorkerEnd& end) : Error(ExitCode::damaged, describe(end)), end_(end) {}

class WorkerProcesses::Pool {
 public:
  Pool(const Handler& handler, std::chrono::milliseconds time) : time_(time) {
    auto [ours, theirs] = socket_pair();
    const pid_t self = getpid();
    forker_ = fork();
    if (forker_ < 0) throw no_process(errno);
    if (forker_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (getppid() != self) _exit(0);  // it ended before that was said
      ours.reset();
      run_forking_process(std::move(theirs), handler);
    }
    control_ = std::move(ours);
  }

  ~Pool() {
    control_.reset();
    while (waitpid(forker_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  void call(std::string_view head, Bytes body, const Taker& take) {
    constexpr int kAttempts = 2;
    for (int attempt = 1;; ++attempt) {
      Worker worker = take_idle();
      MessageSize reply;
      const Outcome outcome = ask(worker, head, body, reply);
      if (outcome == Outcome::answered) {
        hand_over(std::move(worker), reply, take);
        return;
      }
      const WorkerEnd end = end_of(order({.kind = ForkOrder::Kind::end, .worker = worker.process}).status, outcome);
      // What it died of while it waited is not the request's fault, and SIGKILL is seldom.
      const bool blameless = outcome == Outcome::gone || end == WorkerEnd{WorkerEnd::Kind::signal, SIGKILL};
      if (!blameless || attempt == kAttempts) throw WorkerFailure(end);
    }
  }

  std::uint64_t peak_memory() {
    const std::lock_guard lock(idle_mutex_);
    std::uint64_t sum = 0;
    for (const Worker& worker : idle_) sum += peak_memory_of(worker.process);
    return sum;
  }

 private:
  struct Worker {
    pid_t process = 0;
    Fd socket;
    SharedMemory memory;
  };
  enum class Outcome { answered, ended, overtime, gone /* before it was asked */ };

  Worker take_idle() {
    {
      const std::lock_guard lock(idle_mutex_);
      if (!idle_.empty()) {
        Worker worker = std::move(idle_.back());
        idle_.pop_back();
        return worker;
      }
    }
    auto [ours, theirs] = socket_pair();
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time_);
    const struct timeval wait { seconds.count(), std::chrono::microseconds(time_ - seconds).count() };
    setsockopt(ours.get(), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    Worker worker{0, std::move(ours), SharedMemory()};
    const ForkAnswer answer = order({.kind = ForkOrder::Kind::start}, theirs.get(), worker.memory.fd());
    if (answer.worker == 0) throw no_process(answer.error);
    worker.process = answer.worker;
    return worker;
  }

  void put_back(Worker worker) {
    worker.memory.trim();
    const std::lock_guard lock(idle_mutex_);
    idle_.push_back(std::move(worker));
  }

  ForkAnswer order(const ForkOrder& order, int first = -1, int second = -1) {
    const std::lock_guard lock(control_mutex_);
    ForkAnswer answer;
    const bool sent = first >= 0 ? send_with(control_.get(), order, first, second)
                                 : send(control_.get(), &order, sizeof order, MSG_NOSIGNAL) == sizeof order;
    ssize_t count = 0;
    do count = sent ? recv(control_.get(), &answer, sizeof answer, 0) : -1;
    while (sent && count < 0 && errno == EINTR);
    if (count != sizeof answer)
      throw Error(ExitCode::internal, "the process that starts other processes is gone: something has killed it");
    return answer;
  }

  static Outcome ask(Worker& worker, std::string_view head, Bytes body, MessageSize& reply) {
    const std::size_t body_at = body_offset(head.size());
    std::byte* const message = worker.memory.reserve(body_at + body.size());
    std::memcpy(message, head.data(), head.size());
    if (!body.empty()) std::memcpy(message + body_at, body.data(), body.size());
    const MessageSize size{head.size(), body.size()};
    if (send(worker.socket.get(), &size, sizeof size, MSG_NOSIGNAL) != sizeof size) return Outcome::gone;
    for (bool late = false;;) {
      const ssize_t count = recv(worker.socket.get(), &reply, sizeof reply, late ? MSG_DONTWAIT : 0);
      if (count == sizeof reply) return Outcome::answered;
      if (count >= 0 || (errno != EINTR && errno != EAGAIN)) return Outcome::ended;
      if (errno == EINTR) continue;
      if (late) return Outcome::overtime;
      late = true;  // the answer may have come while this process was stopped
    }
  }

  void hand_over(Worker worker, const MessageSize& reply, const Taker& take) {
    const struct PutBack {
      Pool& pool;
      Worker& worker;
      ~PutBack() { pool.put_back(std::move(worker)); }
    } put_back{*this, worker};
    const std::size_t body_at = body_offset(reply.head);
    const Bytes message = worker.memory.view(body_at + reply.body);
    if (message.size() != body_at + reply.body) throw Error(ExitCode::internal, "a worker's answer is not all there");
    take(as_text(message.first(reply.head)), message.subspan(body_at));
  }

  static WorkerEnd end_of(int status, Outcome outcome) {
    if (outcome == Outcome::overtime) return {WorkerEnd::Kind::overtime};
    if (WIFSIGNALED(status)) return {WorkerEnd::Kind::signal, WTERMSIG(status)};
    return {WorkerEnd::Kind::status, WEXITSTATUS(status)};
  }

  std::chrono::milliseconds time_;
  pid_t forker_ = -1;
  Fd control_;
  std::mutex control_mutex_, idle_mutex_;
  std::vector<Worker> idle_;
};

WorkerProcesses::WorkerProcesses(Handler handler, std::chrono::milliseconds time)
    : pool_(std::make_unique<Pool>(handler, time)) {}
WorkerProcesses::~WorkerProcesses() = default;

void WorkerProcesses::call(std::string_view head, Bytes body, const Taker& take) const {
  pool_->call(head, body, take);
}

std::uint64_t WorkerProcesses::peak_memory() const { return pool_->peak_memory(); }

}  // namespace cbir
