// nearest INDEX: the two rows most similar to row 0.
#include <cbir/index/index.hpp>
#include <cbir/base/error.hpp>
#include <iostream>

int main(int, char** argv) try {
  const auto index = cbir::Index::open(argv[1]);
  const auto query = index.vector(0);
  const auto found = index.search({query.data(), 1, query.size()}, 2);
  for (const cbir::Hit& hit : found.front())
    std::cout << hit.score << '\t' << index.row(*index.position_of(hit.id)).path << '\n';
} catch (const cbir::Error& error) {
  std::cerr << error.what() << '\n';
  return static_cast<int>(error.code());
}
