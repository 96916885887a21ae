#include "client/cli/map_template.hpp"

#include "client/cli/shell_quote.hpp"

namespace jobring::cli {
namespace {

std::string base_name(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

std::string directory_name(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string without_extension(const std::string& path) {
  const std::size_t dot = path.rfind('.');
  if (dot == std::string::npos || dot == 0) return path;
  if (path[dot - 1] == '/' || path.find('/', dot) != std::string::npos) return path;
  return path.substr(0, dot);
}

}  // namespace

MapTemplate::MapTemplate(const std::vector<std::string>& words) {
  bool has_place = false;
  for (const std::string& word : words) {
    words_.push_back(parse(word));
    for (const Piece& piece : words_.back()) has_place |= piece.part != Part::literal;
  }
  if (!has_place) words_.push_back(parse("{}"));
}

bool MapTemplate::parse_place(std::string_view inside, Piece& piece) {
  piece.source = 0;
  std::size_t digits = 0;
  while (digits < inside.size() && digits < 4 && inside[digits] >= '0' && inside[digits] <= '9') {
    piece.source = piece.source * 10 + std::size_t(inside[digits++] - '0');
  }
  if (digits > 0 && piece.source == 0) return false;
  inside.remove_prefix(digits);
  if (inside.empty()) {
    piece.part = Part::whole;
  } else if (inside == ".") {
    piece.part = Part::no_extension;
  } else if (inside == "/") {
    piece.part = Part::base;
  } else if (inside == "//") {
    piece.part = Part::directory;
  } else if (inside == "/.") {
    piece.part = Part::base_no_extension;
  } else if (inside == "#" && digits == 0) {
    piece.part = Part::number;
  } else {
    return false;
  }
  return true;
}

MapTemplate::Word MapTemplate::parse(std::string_view word) {
  Word pieces;
  std::string literal;
  while (!word.empty()) {
    Piece piece;
    const std::size_t close = word[0] == '{' ? word.find('}') : std::string_view::npos;
    if (close != std::string_view::npos && parse_place(word.substr(1, close - 1), piece)) {
      if (!literal.empty()) pieces.push_back({Part::literal, 0, std::move(literal)});
      literal.clear();
      pieces.push_back(piece);
      word.remove_prefix(close + 1);
    } else {
      literal += word[0];
      word.remove_prefix(1);
    }
  }
  if (!literal.empty() || pieces.empty()) pieces.push_back({Part::literal, 0, std::move(literal)});
  return pieces;
}

std::string MapTemplate::take(Part part, const std::string& value) {
  switch (part) {
    case Part::no_extension:
      return without_extension(value);
    case Part::base:
      return base_name(value);
    case Part::directory:
      return directory_name(value);
    case Part::base_no_extension:
      return without_extension(base_name(value));
    case Part::literal:
    case Part::whole:
    case Part::number:
      break;
  }
  return value;
}

void MapTemplate::append(std::string& text, const Piece& piece, const MapInput& input, bool quote) {
  if (piece.part == Part::literal) {
    text += piece.text;
    return;
  }
  if (piece.part == Part::number) {
    text += std::to_string(input.seq);
    return;
  }
  const auto append_value = [&](const std::string& value) {
    const std::string taken = take(piece.part, value);
    text += quote ? shell_quote(taken) : taken;
  };
  if (piece.source != 0) {
    if (piece.source <= input.values.size()) append_value(input.values[piece.source - 1]);
    return;
  }
  for (std::size_t i = 0; i < input.values.size(); ++i) {
    if (i > 0) text += ' ';
    append_value(input.values[i]);
  }
}

std::vector<std::string> MapTemplate::expand(const MapInput& input) const {
  std::vector<std::string> words;
  for (const Word& word : words_) {
    const Piece& first = word.front();
    const bool all_alone = word.size() == 1 && first.source == 0 && first.part != Part::literal &&
                           first.part != Part::number;
    if (all_alone) {
      for (const std::string& value : input.values) words.push_back(take(first.part, value));
      continue;
    }
    std::string text;
    for (const Piece& piece : word) append(text, piece, input, false);
    words.push_back(std::move(text));
  }
  return words;
}

std::string MapTemplate::expand_text(const MapInput& input, bool quote) const {
  std::string text;
  bool first = true;
  for (const Word& word : words_) {
    if (!first) text += ' ';
    first = false;
    for (const Piece& piece : word) append(text, piece, input, quote);
  }
  return text;
}

}  // namespace jobring::cli
