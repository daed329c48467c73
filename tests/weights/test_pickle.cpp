#include <cbir/weights/pickle.hpp>

#include <cbir/base/error.hpp>
#include <tests/catch.hpp>
#include <tests/weights/checkpoint.hpp>

using namespace cbir;
using namespace pickled;

namespace {

/// Keeps the values alive beside the result.
struct Loaded {
  explicit Loaded(std::string pickle) : data(std::move(pickle)), value(pickle::load(reader, arena)) {}
  std::string data;  // which the values point into
  pickle::Arena arena;
  ByteReader reader{bytes(data), "x.pth"};
  const pickle::Value& value;
};

void load(const std::string& data) { Loaded{data}; }

}  // namespace

TEST_CASE("numbers, strings and containers come out as they went in") {
  const std::string data =
      dump("(" + number(-5) + "K\x07" + "M\x01\x02" + "\x8a\x01\xff" + "\x8a\x00"s + "G\x3f\xf8\0\0\0\0\0\0"s +
           text("h\xc3\xa9") + "N\x88\x89" + "](K\x01K\x02" + "e" + "K\x03\x85" + "t");
  const Loaded loaded(data);
  const auto& items = loaded.value.get<pickle::Tuple>()->items;
  REQUIRE(items.size() == 12);
  CHECK(*items[0]->get<std::int64_t>() == -5);
  CHECK(*items[1]->get<std::int64_t>() == 7);
  CHECK(*items[2]->get<std::int64_t>() == 513);
  CHECK(*items[3]->get<std::int64_t>() == -1);
  CHECK(*items[4]->get<std::int64_t>() == 0);
  CHECK(*items[5]->get<double>() == 1.5);
  CHECK(*items[6]->get<std::string_view>() == "h\xc3\xa9");
  CHECK(items[7]->get<pickle::None>());
  CHECK(*items[8]->get<bool>());
  CHECK_FALSE(*items[9]->get<bool>());
  CHECK(items[10]->get<pickle::List>()->items.size() == 2);
  CHECK(*items[11]->get<pickle::Tuple>()->items.at(0)->get<std::int64_t>() == 3);
}

TEST_CASE("protocol 4 as newer Pythons write it") {
  const std::string frame = "\x80\x04\x95"s + le(std::uint64_t{30});
  const Loaded loaded(frame + "\x8c\x0b"s + "collections\x94\x8c\x0bOrderedDict\x94\x93\x94)R.");
  CHECK(loaded.value.get<pickle::Dict>());
}

TEST_CASE("protocol 0 is lines of text") {
  // pickle.dumps({'a\n\xff': [1, -2, True], u'h\u00e9\u20ac': (1.5, None, 2 ** 40)}, 0) of Python 2
  const Loaded loaded(
      "(dp0\nS'a\\n\\xff'\np1\n(lp2\nI1\naI-2\naI01\nasVh\xe9\\u20ac\np3\n(F1.5\nNL1099511627776L\ntp4\ns.");
  const auto& items = loaded.value.get<pickle::Dict>()->items;
  REQUIRE(items.size() == 2);
  CHECK(items[0].first->get<pickle::Blob>()->bytes == "a\n\xff");
  const auto& list = items[0].second->get<pickle::List>()->items;
  REQUIRE(list.size() == 3);
  CHECK(*list[1]->get<std::int64_t>() == -2);
  CHECK(*list[2]->get<bool>());
  CHECK(*items[1].first->get<std::string_view>() == "h\xc3\xa9\xe2\x82\xac");
  CHECK(*items[1].second->get<pickle::Tuple>()->items[2]->get<std::int64_t>() == std::int64_t{1} << 40);

  CHECK_THROWS_AS(load("S'open\n."), DamagedFile);
  CHECK_THROWS_AS(load("S'\\xg0'\n."), DamagedFile);
  CHECK_THROWS_AS(load("S'\\'\n."), DamagedFile);
  CHECK_THROWS_AS(load("V\\ud800\n."), DamagedFile);
  CHECK_THROWS_AS(load("I99999999999999999999\n."), DamagedFile);
  CHECK_THROWS_AS(load("Fone\n."), DamagedFile);
  CHECK_THROWS_AS(load("Np-1\n."), DamagedFile);
  CHECK_THROWS_AS(load("l."), DamagedFile);
  CHECK_THROWS_AS(load("(I1\nd."), DamagedFile);
  CHECK_THROWS_AS(load("I1"), DamagedFile);
}

TEST_CASE("protocol 5 has bytes that can be changed") {
  const Loaded loaded("\x80\x05\x96"s + le(std::uint64_t{3}) + "\x01\xff\x02.");
  CHECK(loaded.value.get<pickle::Blob>()->bytes == "\x01\xff\x02");
}

TEST_CASE("the memo gives back what was put") {
  const Loaded loaded(dump(text("once") + "q\x05" + "h\x05\x86"));
  const auto& items = loaded.value.get<pickle::Tuple>()->items;
  CHECK(items.at(0) == items.at(1));
  CHECK_THROWS_AS(load(dump("h\x05")), DamagedFile);
}

TEST_CASE("a container that holds itself is no trouble") {
  const Loaded loaded(dump("]q\x01h\x01"s + "a"));
  const auto& items = loaded.value.get<pickle::List>()->items;
  REQUIRE(items.size() == 1);
  CHECK(items[0] == &loaded.value);
}

TEST_CASE("nothing that a file names is called: it stays a name and its arguments") {
  const Loaded loaded(dump(global("posix", "system") + text("id") + "\x85R"));
  const pickle::Object* call = loaded.value.get<pickle::Object>();
  REQUIRE(call);
  CHECK(call->type->is("posix", "system"));
  CHECK(*call->arguments->get<pickle::Tuple>()->items.at(0)->get<std::string_view>() == "id");
  CHECK_FALSE(call->state);
  const Loaded stacked("\x80\x04" + text("os") + text("system") + "\x93.");
  CHECK(stacked.value.get<pickle::Global>()->full() == "os.system");
  CHECK_THROWS_AS(load(dump(text("f") + ")R")), DamagedFile);     // not a function
  CHECK_THROWS_AS(load(dump(text("f") + ")\x81")), DamagedFile);  // not a class
  CHECK_THROWS_AS(load(dump("(ios\nsystem\n")), DamagedFile);     // INST
  CHECK_THROWS_AS(load("\x80\x04" + text(std::string(513, 'm')) + text("f") + "\x93."), DamagedFile);
}

TEST_CASE("an object is its class and its state") {
  const std::string attributes = dict(text("width") + number(3));
  const Loaded loaded(dump(global("my.nets", "Net") + ")\x81" + attributes + "b" + text("key") + number(5) + "s"));
  const pickle::Object* object = loaded.value.get<pickle::Object>();
  REQUIRE(object);
  CHECK(object->type->full() == "my.nets.Net");
  CHECK(*pickle::find(*object->state->get<pickle::Dict>(), "width")->get<std::int64_t>() == 3);
  CHECK(*pickle::find(*pickle::dict_of(loaded.value), "key")->get<std::int64_t>() == 5);
  CHECK_THROWS_AS(load(dump(number(1) + attributes + "b")), DamagedFile);  // attributes of a number

  const Loaded keywords("\x80\x04" + global("my.nets", "Net") + ")}\x92.");
  CHECK(keywords.value.get<pickle::Object>());
}

TEST_CASE("sets are lists, and old strings that are no text are bytes") {
  const Loaded set("\x80\x04\x8f(K\x01K\x02\x90.");
  CHECK(set.value.get<pickle::List>()->items.size() == 2);
  const Loaded frozen("\x80\x04(K\x01\x91.");
  CHECK(frozen.value.get<pickle::List>()->items.size() == 1);
  const Loaded raw(dump("U\x02\xff\xfe"));
  CHECK(raw.value.get<pickle::Blob>()->bytes == "\xff\xfe");
}

TEST_CASE("damage is told with its place") {
  CHECK_THROWS_WITH(load(dump("K\x01\x86")), ContainsSubstring("byte 4"));  // TUPLE2 of one value
  CHECK_THROWS_WITH(load("\x80\x02X\xff\xff\xff\x7fhi."), ContainsSubstring("ends within a string"));
  CHECK_THROWS_AS(load(dump("(K\x01.")), DamagedFile);  // a MARK is left at the end
  CHECK_THROWS_AS(load(dump("t")), DamagedFile);        // no mark
  CHECK_THROWS_AS(load(dump("K\x01K\x02K\x03s")), DamagedFile);
  CHECK_THROWS_AS(load(dump("}(K\x01u")), DamagedFile);    // a key without a value
  CHECK_THROWS_AS(load(dump(text("\xff"))), DamagedFile);  // not UTF-8
  CHECK_THROWS_AS(load("\x80\x06N."), Incompatible);       // protocol 6
  CHECK_THROWS_AS(load(""), DamagedFile);
}

TEST_CASE("a pickle cannot take memory without end") {
  std::string nones(2'100'000, 'N');
  CHECK_THROWS_AS(load(dump(nones)), ResourceLimit);
  CHECK_THROWS_AS(load(dump(std::string(2'100'000, '('))), DamagedFile);
  std::string gets =
      "N"
      "q\x01"s;
  for (int i = 0; i < 2'100'000; ++i) gets += "h\x01";
  CHECK_THROWS_AS(load(dump(gets)), DamagedFile);

  // One list of 100,000 pairs, made into an OrderedDict again and again.
  std::string pairs = "](";
  for (int i = 0; i < 100'000; ++i) pairs += "NN\x86";
  std::string calls = pairs + "e\x85q\x01" + "0" + global("collections", "OrderedDict") + "q\x02" + "0";
  for (int i = 0; i < 100; ++i) calls += "h\x02h\x01R0";
  CHECK_THROWS_AS(load(dump(calls + "N")), ResourceLimit);
}
