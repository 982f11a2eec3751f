#include "link/life_page.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <thread>

namespace nf::link {
namespace {

class LifePageTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "nfactor-life-XXXXXX").string();
    folder_ = mkdtemp(name.data());
    auto page = LifePage::Create(path());
    ASSERT_TRUE(page.has_value()) << page.error().message;
    page_.emplace(std::move(*page));
  }
  void TearDown() override {
    page_.reset();
    std::filesystem::remove_all(folder_);
  }
  std::string path() const { return folder_ + "/life"; }
  bool Eventually(const std::function<bool()>& holds) {
    for (int i = 0; i < 10'000; ++i) {
      if (holds()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return false;
  }

  std::string folder_;
  std::optional<LifePage> page_;
};

TEST_F(LifePageTest, RingsOnceForEachTimeThatItIsAsked) {
  auto mine = LifePage::Open(path());
  ASSERT_TRUE(mine.has_value());
  page_->WakeIfAsked();
  EXPECT_FALSE(mine->HearWake());
  for (int i = 0; i < 3; ++i) {
    mine->AskForWake();
    EXPECT_FALSE(mine->HearWake());
    page_->WakeIfAsked();
    page_->WakeIfAsked();
    EXPECT_FALSE(mine->is_asking());
    EXPECT_TRUE(mine->HearWake());
    EXPECT_FALSE(mine->HearWake());
  }
  mine->AskForWake();
  EXPECT_TRUE(mine->StopAsking());
  page_->WakeIfAsked();
  EXPECT_FALSE(mine->HearWake());
}

TEST_F(LifePageTest, AThreadThatEndsIsOver) {
  EXPECT_FALSE(page_->is_over()) << "nobody has taken it yet";
  auto mine = LifePage::Open(path());
  ASSERT_TRUE(mine.has_value());
  std::atomic<bool> taken = false, may_end = false;
  std::thread thread([&] {
    mine->Take();
    taken = true;
    while (!may_end) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  });
  ASSERT_TRUE(Eventually([&] { return taken.load(); }));
  EXPECT_FALSE(page_->is_over());
  may_end = true;
  thread.join();
  EXPECT_TRUE(page_->is_over());
}

TEST_F(LifePageTest, AProcessThatIsKilledIsOverBeforeAnybodyHasWaitedForIt) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto mine = LifePage::Open(path());
    if (!mine) _exit(1);
    mine->Take();
    for (;;) pause();
  }
  ASSERT_TRUE(Eventually([&] { return *page_->word() == static_cast<uint32_t>(child); }));
  EXPECT_FALSE(page_->is_over());
  kill(child, SIGKILL);
  EXPECT_TRUE(Eventually([&] { return page_->is_over(); }));
  EXPECT_EQ(waitpid(child, nullptr, 0), child);
}

TEST_F(LifePageTest, WhoTakesAnotherPageOrReleasesItsOwnTellsNothingInTheFirst) {
  auto other = LifePage::Create(path() + "2");
  ASSERT_TRUE(other.has_value());
  auto one = LifePage::Open(path()), two = LifePage::Open(path() + "2");
  std::thread([&] {
    one->Take();
    one->Release();
    two->Take();
  }).join();
  EXPECT_FALSE(page_->is_over());
  EXPECT_TRUE(other->is_over());
}

// Whatever is in the word: the mark means dead, nothing else means anything.
TEST_F(LifePageTest, NonsenseInTheWordIsItsOwnersBusiness) {
  auto mine = LifePage::Open(path());
  std::thread([&] {
    mine->Take();
    *mine->word() = 0x2fffffff;  // No thread of this id: the kernel leaves it alone.
  }).join();
  EXPECT_FALSE(page_->is_over());
  *mine->word() = FUTEX_OWNER_DIED;
  EXPECT_TRUE(page_->is_over());
  *mine->word() = ~0u;
  EXPECT_TRUE(page_->is_over());
}

TEST_F(LifePageTest, ThePageCannotBeTakenAway) {
  const int fd = open(path().c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  EXPECT_NE(ftruncate(fd, 0), 0);
  close(fd);
  EXPECT_FALSE(page_->is_over());
}

TEST_F(LifePageTest, WithItsObjectThePathGoes) {
  page_.reset();
  EXPECT_FALSE(LifePage::Open(path()).has_value());
  struct stat found;
  EXPECT_NE(lstat(path().c_str(), &found), 0);
}

}  // namespace
}  // namespace nf::link
