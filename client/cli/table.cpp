#include "client/cli/table.hpp"

#include <algorithm>

namespace jobring::cli {
namespace {

// Characters, not bytes: continuation bytes of UTF-8 take no column.
std::size_t columns(const std::string& text) {
  return std::size_t(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

const char* code(Color color) {
  switch (color) {
    case Color::none:
      return "";
    case Color::bold:
      return "\033[1m";
    case Color::dim:
      return "\033[2m";
    case Color::green:
      return "\033[32m";
    case Color::yellow:
      return "\033[33m";
    case Color::red:
      return "\033[31m";
  }
  return "";
}

}  // namespace

std::string colored(const std::string& text, Color color, bool use) {
  if (!use || color == Color::none || text.empty()) return text;
  return code(color) + text + "\033[0m";
}

Table::Table(std::vector<std::string> headings) {
  std::vector<Cell> first;
  for (std::string& heading : headings) {
    const bool right = heading.starts_with('>');
    right_.push_back(right);
    first.push_back({right ? heading.substr(1) : heading, Color::bold});
  }
  rows_.push_back(std::move(first));
}

void Table::row(std::vector<Cell> cells) {
  cells.resize(right_.size());
  rows_.push_back(std::move(cells));
}

std::string Table::print(bool color, int indent) const {
  std::vector<std::size_t> widths(right_.size());
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], columns(row[i].text));
  }
  std::string text;
  for (const auto& row : rows_) {
    std::string line(std::size_t(indent), ' ');
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i > 0) line += "  ";
      const std::string room(widths[i] - columns(row[i].text), ' ');
      const std::string cell = colored(row[i].text, row[i].color, color);
      line += right_[i] ? room + cell : cell + room;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  return text;
}

}  // namespace jobring::cli
