#include "common/durable_tag.hpp"

#include <doctest/doctest.h>

#include <string>

#include "common/limits.hpp"

using namespace jobring;

TEST_CASE("the tag of a durable job says which and which attempt and which member") {
  CHECK(parse_durable_tag("1.1") == DurableTag{1, 1, {}});
  CHECK(parse_durable_tag("18446744073709551615.4294967295") ==
        DurableTag{18446744073709551615u, 4294967295u, {}});
  CHECK(parse_durable_tag("17.3.0") == DurableTag{17, 3, 0});
  CHECK(parse_durable_tag("17.3.-9223372036854775808") == DurableTag{17, 3, INT64_MIN});
}

TEST_CASE("the tag of a durable job is read as it was written and fits into a slot") {
  for (const DurableTag& tag : {DurableTag{1, 1, {}}, DurableTag{17, 3, 0}, DurableTag{17, 3, -5},
                                DurableTag{(std::uint64_t{1} << 48) - 1, 4294967295u, INT64_MIN}}) {
    const DurableTagText text(tag);
    CAPTURE(text.view());
    CHECK(text.view().size() <= kTagMax);
    CHECK(parse_durable_tag(text.view()) == tag);
  }
}

TEST_CASE("what is no tag of a durable job is refused") {
  for (const std::string text : {"",
                                 ".",
                                 "1",
                                 "1.",
                                 ".1",
                                 "0.1",
                                 "1.0",
                                 "-1.1",
                                 "+1.1",
                                 "1.-1",
                                 " 1.1",
                                 "1.1 ",
                                 "1 .1",
                                 "1.1.",
                                 "1.1.x",
                                 "1.1.1.",
                                 "1.1.1.1",
                                 "0x1.1",
                                 "1,1",
                                 "../1.1",
                                 "1.1/..",
                                 "18446744073709551616.1",
                                 "1.4294967296",
                                 "1.1.9223372036854775808"}) {
    CAPTURE(text);
    CHECK(!parse_durable_tag(text));
  }
  CHECK(!parse_durable_tag(std::string_view("1.1\0", 4)));
}
