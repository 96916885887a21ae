// Rows of text in aligned columns.
#pragma once

#include <string>
#include <vector>

namespace jobring::cli {

enum class Color { none, bold, dim, green, yellow, red };

struct Cell {
  std::string text;
  Color color = Color::none;
};

class Table {
 public:
  // A heading that starts with '>' is for a column aligned to the right.
  explicit Table(std::vector<std::string> headings);
  void row(std::vector<Cell> cells);
  // Every line starts with `indent` spaces and ends with a newline. Without `color` it is plain
  // text.
  std::string print(bool color, int indent = 0) const;

 private:
  std::vector<bool> right_;
  std::vector<std::vector<Cell>> rows_;
};

std::string colored(const std::string& text, Color color, bool use);

}  // namespace jobring::cli
