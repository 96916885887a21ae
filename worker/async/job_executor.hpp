// The executor of one job's coroutine: the loop's own, but everything that runs on it runs as a
// slice of that job. So the worker can say at any instant whose code holds the loop: in the pool's
// page, for the supervisor, and in a crash report.
#pragma once

#include <utility>  // before Asio

#include <boost/asio/execution.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/require.hpp>
#include <memory>
#include <type_traits>

#include "worker/async/slice.hpp"

namespace jobring {

// Copies share the job's identity, which may outlive the job: an operation that a handler started
// and did not await.
template <class Inner>
class JobExecutor {
 public:
  JobExecutor(std::shared_ptr<const SliceOwner> job, Inner inner)
      : job_(std::move(job)), inner_(std::move(inner)) {}

  template <class Property>
  auto query(const Property& property) const
      -> std::enable_if_t<boost::asio::can_query_v<const Inner&, Property>,
                          typename boost::asio::query_result<const Inner&, Property>::type> {
    return boost::asio::query(inner_, property);
  }
  template <class Property>
  auto require(const Property& property) const -> std::enable_if_t<
      boost::asio::can_require_v<const Inner&, Property>,
      JobExecutor<
          std::decay_t<typename boost::asio::require_result<const Inner&, Property>::type>>> {
    return {job_, boost::asio::require(inner_, property)};
  }
  template <class Property>
  auto prefer(const Property& property) const
      -> std::enable_if_t<boost::asio::can_prefer_v<const Inner&, Property>,
                          JobExecutor<std::decay_t<
                              typename boost::asio::prefer_result<const Inner&, Property>::type>>> {
    return {job_, boost::asio::prefer(inner_, property)};
  }

  template <class Function>
  void execute(Function&& function) const {
    boost::asio::execution::execute(
        inner_,
        [job = job_, f = std::decay_t<Function>(std::forward<Function>(function))]() mutable {
          const Slice slice(*job);
          std::move(f)();
        });
  }

  friend bool operator==(const JobExecutor& a, const JobExecutor& b) noexcept {
    return a.job_ == b.job_ && a.inner_ == b.inner_;
  }
  friend bool operator!=(const JobExecutor& a, const JobExecutor& b) noexcept { return !(a == b); }

 private:
  std::shared_ptr<const SliceOwner> job_;
  Inner inner_;
};

}  // namespace jobring
