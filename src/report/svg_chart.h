#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace aurum::report {

struct Point {
  double x = 0.0;
  double y = 0.0;
};

// One curve. Points have growing x; a point that is not finite breaks the line.
struct Series {
  std::string name;
  std::vector<Point> points;
};

struct ChartOptions {
  std::string title;
  std::string y_label;
  bool y_from_zero = false;
};

// Escapes text for HTML content and quoted attributes.
std::string escape_html(std::string_view text);

// A number short enough for an axis or a tile: 0.0123, 45.6, 1.2M.
std::string short_number(double value);

// A <figure> with an inline SVG and a legend; empty when no series has a finite point. Colours are
// the classes s0 to s6, which the page's style sheet defines. Long series are averaged down.
std::string render_line_chart(const ChartOptions& options, std::vector<Series> series);

// The same with areas on top of each other. Series share their x; missing values count as zero.
std::string render_stacked_chart(const ChartOptions& options, std::vector<Series> series);

}  // namespace aurum::report
