#pragma once
/// Working copies of a network, each for one thread at a time: as many are made as threads call at once.

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace cbir::nets {

/// Thread-safe.
template <typename Copy>
class WorkingCopies {
 public:
  /// A copy in use; given back at the end.
  class Lease {
   public:
    Lease(WorkingCopies& store, std::unique_ptr<Copy> copy) : store_(store), copy_(std::move(copy)) {}
    ~Lease() { store_.add(std::move(copy_)); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    Copy& operator*() const { return *copy_; }
    Copy* operator->() const { return copy_.get(); }

   private:
    WorkingCopies& store_;
    std::unique_ptr<Copy> copy_;
  };

  /// One that no thread uses at the moment, or else what make() returns.
  template <typename Make>
  Lease take(Make make) {
    std::unique_ptr<Copy> copy;
    {
      const std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        copy = std::move(idle_.back());
        idle_.pop_back();
      }
    }
    if (!copy) copy = make();
    return Lease(*this, std::move(copy));
  }

  void add(std::unique_ptr<Copy> copy) {
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(copy));
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Copy>> idle_;
};

}  // namespace cbir::nets
