#pragma once
/// Lends scratch memory to whichever thread comes, so that there is one a thread and not one a task.

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace cbir {

template <typename Workspace>
class WorkspacePool {
 public:
  explicit WorkspacePool(std::function<std::unique_ptr<Workspace>()> make) : make_(std::move(make)) {}

  /// Calls use(workspace) with one that nobody else has meanwhile.
  template <typename Use>
  void with(const Use& use) {
    std::unique_ptr<Workspace> workspace = take();
    use(*workspace);
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(workspace));
  }

  /// All that were made, when nobody works any more.
  const std::vector<std::unique_ptr<Workspace>>& all() const { return idle_; }

 private:
  std::unique_ptr<Workspace> take() {
    {
      const std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        std::unique_ptr<Workspace> out = std::move(idle_.back());
        idle_.pop_back();
        return out;
      }
    }
    return make_();
  }

  std::function<std::unique_ptr<Workspace>()> make_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Workspace>> idle_;
};

}  // namespace cbir
