#include "worker_process.hpp"

#include <fcntl.h>
#include <malloc.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <utility>

#include "shared_memory.hpp"

namespace cbir {
namespace {

constexpr int kBroken = 70;  // exit status of a worker that cannot go on

ssize_t receive(int fd, void* data, std::size_t size) {
  for (;;) {
    const ssize_t count = recv(fd, data, size, 0);
    if (count >= 0 || errno != EINTR) return count;
  }
}

/// When memory runs out in the system, or in its cgroup, a worker is what can be spared.
void volunteer_as_victim() {
  const Fd file(open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
  if (file && write(file.get(), "1000", 4) != 4) return;  // another one will be chosen
}

/// A worker does the same again and again. By itself its heap would be given back to the system after each request, and
/// taken anew, page by page, for the next: of decoding a small picture that is a sixth. What is large is still given
/// back.
void keep_heap() {
#if defined(__GLIBC__)
  mallopt(M_MMAP_THRESHOLD, 8 << 20);
  mallopt(M_TRIM_THRESHOLD, 16 << 20);
#endif
}

[[noreturn]] void run_worker(Fd socket, SharedMemory memory, const WorkerProcesses::Handler& handler) noexcept {
  volunteer_as_victim();
  keep_heap();
  const struct rlimit none {};
  setrlimit(RLIMIT_CORE, &none);
  try {
    for (;;) {
      MessageSize request;
      if (receive(socket.get(), &request, sizeof request) != sizeof request) _exit(0);
      const std::size_t body_at = body_offset(request.head);
      const Bytes message = memory.view(body_at + request.body);
      const WorkerReply reply = handler(as_text(message.first(request.head)), message.subspan(body_at));
      const std::size_t reply_at = body_offset(reply.head.size());
      std::byte* const out = memory.reserve(reply_at + reply.body.size());
      std::memcpy(out, reply.head.data(), reply.head.size());
      if (!reply.body.empty()) std::memcpy(out + reply_at, reply.body.data(), reply.body.size());
      const MessageSize size{reply.head.size(), reply.body.size()};
      if (send(socket.get(), &size, sizeof size, MSG_NOSIGNAL) != sizeof size) _exit(0);
    }
  } catch (...) {
    _exit(kBroken);
  }
}

class ForkingProcess {
 public:
  ForkingProcess(Fd control, const WorkerProcesses::Handler& handler)
      : control_(std::move(control)), handler_(handler) {}

  /// False if the other end is closed.
  bool serve() {
    ForkOrder order{};
    Fd fds[2];
    if (!receive_order(order, fds)) return false;
    const ForkAnswer answer = order.kind == ForkOrder::Kind::start ? start(std::move(fds[0]), std::move(fds[1]))
                                                                   : ForkAnswer{.status = end(order.worker)};
    return send(control_.get(), &answer, sizeof answer, MSG_NOSIGNAL) == sizeof answer;
  }

  void end_all() {
    for (const pid_t worker : workers_) kill(worker, SIGKILL);
    for (const pid_t worker : workers_) wait_for(worker);
  }

 private:
  bool receive_order(ForkOrder& order, Fd (&fds)[2]) {
    struct iovec data {
      &order, sizeof order
    };
    alignas(cmsghdr) char room[CMSG_SPACE(sizeof(int) * 2)]{};
    struct msghdr message {};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = room;
    message.msg_controllen = sizeof room;
    ssize_t count = 0;
    do count = recvmsg(control_.get(), &message, MSG_CMSG_CLOEXEC);
    while (count < 0 && errno == EINTR);
    if (count != sizeof order) return false;
    const cmsghdr* const head = CMSG_FIRSTHDR(&message);
    if (head && head->cmsg_type == SCM_RIGHTS && head->cmsg_len == CMSG_LEN(sizeof(int) * 2)) {
      int numbers[2];
      std::memcpy(numbers, CMSG_DATA(head), sizeof numbers);
      for (std::size_t i = 0; i < 2; ++i) fds[i] = Fd(numbers[i]);
    }
    return true;
  }

  ForkAnswer start(Fd socket, Fd memory) {
    const pid_t self = getpid(), worker = fork();
    if (worker < 0) return {.error = errno};
    if (worker == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (getppid() != self) _exit(0);  // it ended before that was said
      control_.reset();
      run_worker(std::move(socket), SharedMemory(std::move(memory)), handler_);
    }
    workers_.push_back(worker);
    return {.worker = worker};
  }

  static int wait_for(pid_t worker) {
    int status = 0;
    while (waitpid(worker, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
  }

  /// Of one that has ended by itself the status is that of its own end: until it is waited for, its number is its own.
  int end(pid_t worker) {
    const auto known = std::ranges::find(workers_, worker);
    if (known == workers_.end()) return 0;
    workers_.erase(known);
    kill(worker, SIGKILL);
    return wait_for(worker);
  }

  Fd control_;
  const WorkerProcesses::Handler& handler_;
  std::vector<pid_t> workers_;
};

/// Standard input and output are the parent's alone: their other ends must not seem open for longer than it lives.
void let_go_of_streams() {
  const Fd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null) return;
  dup2(null.get(), STDIN_FILENO);
  dup2(null.get(), STDOUT_FILENO);
}

}  // namespace

void run_forking_process(Fd control, const WorkerProcesses::Handler& handler) noexcept {
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) signal(number, SIG_IGN);
  signal(SIGCHLD, SIG_DFL);  // ignored, it would leave no status behind
  prctl(PR_SET_NAME, "cbir-worker");
  let_go_of_streams();
  ForkingProcess process(std::move(control), handler);
  while (process.serve()) {
  }
  process.end_all();
  _exit(0);
}

}  // namespace cbir
