#include "report/html_report.h"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files.h"
#include "report/svg_chart.h"

namespace aurum::report {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

class HtmlReport : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) /
              testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::remove_all(folder_);
    make_folder(folder_ / "telemetry");
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path folder_;
};

TEST_F(HtmlReport, MissingOrForeignFolderIsTheUsersMistake) {
  EXPECT_THROW(render_html_report(folder_ / "none"), InputError);
  EXPECT_THROW(render_html_report(folder_), InputError);
}

TEST_F(HtmlReport, AYoungRunHasAPage) {
  write_file(folder_ / "metrics_rank0000.jsonl", "");
  EXPECT_THAT(render_html_report(folder_), HasSubstr("No step has been logged yet."));
}

TEST_F(HtmlReport, NothingFromTheRunBecomesMarkup) {
  write_file(folder_ / "metrics_rank0000.jsonl", "{\"step\":1,\"loss\":0.5}\n{\"step\":2,\"lo");
  write_file(folder_ / "completions.jsonl",
             "{\"step\":0,\"phase\":\"before\",\"prompt\":\"</pre><script>p()\","
             "\"completion\":\"<img src=x onerror=c()>\",\"finish_reason\":\"length\"}\n"
             "{\"step\":\"<b>\",\"phase\":\"after\"}\n");
  write_file(folder_ / "telemetry/training_config.yaml", "model: \"</style><script>y()\"\n");
  const std::string page = render_html_report(folder_);
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_THAT(page, Not(HasSubstr("<img")));
  EXPECT_THAT(page, HasSubstr("&lt;/pre&gt;&lt;script&gt;p()"));
  EXPECT_THAT(page, HasSubstr("&lt;/style&gt;&lt;script&gt;y()"));
  EXPECT_THAT(page, HasSubstr("Not sampled yet."));
  EXPECT_THAT(page, HasSubstr("2 unreadable line(s)"));
}

TEST_F(HtmlReport, ShowsTrainAndHeldOutCurvesAndPhases) {
  write_file(folder_ / "metrics_rank0000.jsonl",
             "{\"step\":0,\"eval_loss\":0.75}\n"
             "{\"step\":1,\"loss\":0.5,\"seconds_teacher\":2,\"seconds_total\":3}\n"
             "{\"step\":2,\"loss\":0.25,\"seconds_teacher\":2,\"seconds_total\":3}\n");
  const std::string page = render_html_report(folder_);
  EXPECT_THAT(page, HasSubstr("held-out, step 0: 0.75"));
  EXPECT_THAT(page, HasSubstr("train, step 2: 0.25"));
  EXPECT_THAT(page, HasSubstr("<title>teacher</title>"));
  EXPECT_THAT(page, HasSubstr("<title>other</title>"));
  EXPECT_THAT(page, Not(HasSubstr("<title>rollout</title>")));
}

TEST(SvgChart, HolesAndExtremesNeverReachThePath) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const double y : {0.0, 1e300, -1e-300, 5e-324}) {
    const std::string chart =
        render_line_chart({.title = "t"}, {{.name = "a", .points = {{1, y}, {2, nan}, {3, y}}}});
    EXPECT_THAT(chart, Not(HasSubstr("nan"))) << y;
    EXPECT_THAT(chart, Not(HasSubstr("inf"))) << y;
  }
  EXPECT_EQ(render_line_chart({.title = "t"}, {{.name = "a", .points = {{1, nan}}}}), "");
}

TEST(SvgChart, LongSeriesAreAveragedDown) {
  Series series{.name = "a", .points = {}};
  for (int i = 0; i < 100000; ++i) series.points.push_back({double(i), double(i % 7)});
  EXPECT_LT(render_line_chart({.title = "t"}, {series}).size(), 20000u);
  EXPECT_LT(render_stacked_chart({.title = "t"}, {series, series}).size(), 40000u);
}

}  // namespace
}  // namespace aurum::report
