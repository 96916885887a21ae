#include "tests/keeper/shim_vfs.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <cstring>
#include <new>

namespace jobring::test {

const char* const kShimVfs = "jobring-shim";

namespace {

sqlite3_vfs* below() {
  static sqlite3_vfs* const vfs = sqlite3_vfs_find(nullptr);
  return vfs;
}

struct File {
  sqlite3_file base;
  std::string* name;
  sqlite3_file* real;  // behind this struct
};
File& file(sqlite3_file* f) {
  return *reinterpret_cast<File*>(f);
}
sqlite3_file* real(sqlite3_file* f) {
  return file(f).real;
}

std::int64_t size_of(sqlite3_file* f) {
  sqlite3_int64 size = 0;
  real(f)->pMethods->xFileSize(real(f), &size);
  return size;
}

// Not 0: it is not done.
int change(DiskOp op) {
  Shim& s = shim();
  ++s.ops;
  if (s.before)
    if (const int rc = s.before(op.kind)) return rc;
  if (s.recording) s.recorded.push_back(std::move(op));
  return SQLITE_OK;
}

int close_file(sqlite3_file* f) {
  const int rc = real(f)->pMethods->xClose(real(f));
  delete file(f).name;
  return rc;
}
int read(sqlite3_file* f, void* to, int n, sqlite3_int64 at) {
  return real(f)->pMethods->xRead(real(f), to, n, at);
}
int write(sqlite3_file* f, const void* from, int n, sqlite3_int64 at) {
  if (shim().room >= 0) {
    const std::int64_t more = std::max<std::int64_t>(0, at + n - size_of(f));
    if (more > shim().room) return SQLITE_FULL;
    shim().room -= more;
  }
  const std::string data = shim().recording
                               ? std::string(static_cast<const char*>(from), std::size_t(n))
                               : std::string();
  if (const int rc = change({DiskOp::Kind::write, *file(f).name, at, data})) return rc;
  return real(f)->pMethods->xWrite(real(f), from, n, at);
}
int truncate(sqlite3_file* f, sqlite3_int64 size) {
  if (shim().room >= 0) shim().room += size_of(f) - size;
  if (const int rc = change({DiskOp::Kind::truncate, *file(f).name, size, {}})) return rc;
  return real(f)->pMethods->xTruncate(real(f), size);
}
int sync(sqlite3_file* f, int flags) {
  if (const int rc = change({DiskOp::Kind::sync, *file(f).name, 0, {}})) return rc;
  return real(f)->pMethods->xSync(real(f), flags);
}
int size(sqlite3_file* f, sqlite3_int64* to) {
  return real(f)->pMethods->xFileSize(real(f), to);
}
int lock(sqlite3_file* f, int how) {
  return real(f)->pMethods->xLock(real(f), how);
}
int unlock(sqlite3_file* f, int how) {
  return real(f)->pMethods->xUnlock(real(f), how);
}
int reserved(sqlite3_file* f, int* to) {
  return real(f)->pMethods->xCheckReservedLock(real(f), to);
}
int control(sqlite3_file* f, int op, void* arg) {
  return real(f)->pMethods->xFileControl(real(f), op, arg);
}
int sector(sqlite3_file* f) {
  return real(f)->pMethods->xSectorSize(real(f));
}
int device(sqlite3_file* f) {
  return real(f)->pMethods->xDeviceCharacteristics(real(f));
}

// Version 1: no shared memory, which an exclusive lock does without.
const sqlite3_io_methods kMethods = {
    1,       close_file, read,   write,   truncate, sync,    size,    lock,    unlock, reserved,
    control, sector,     device, nullptr, nullptr,  nullptr, nullptr, nullptr, nullptr};

std::string short_name(const char* path) {
  const std::string all = path != nullptr ? path : "";
  return all.substr(all.rfind('/') + 1);
}

int open_file(sqlite3_vfs*, const char* path, sqlite3_file* f, int flags, int* out) {
  File& mine = *new (f) File{};
  mine.real = reinterpret_cast<sqlite3_file*>(&mine + 1);
  std::memset(mine.real, 0, std::size_t(below()->szOsFile));
  const int rc = below()->xOpen(below(), path, mine.real, flags, out);
  if (rc != SQLITE_OK) return rc;
  mine.name = new std::string(short_name(path));
  mine.base.pMethods = &kMethods;
  return rc;
}
int erase(sqlite3_vfs*, const char* path, int sync_directory) {
  if (const int rc = change({DiskOp::Kind::erase, short_name(path), 0, {}})) return rc;
  return below()->xDelete(below(), path, sync_directory);
}

void apply(std::string& content, const DiskOp& op, std::mt19937_64* random) {
  if (op.kind == DiskOp::Kind::truncate) {
    content.resize(std::size_t(op.offset));
    return;
  }
  const std::size_t at = std::size_t(op.offset), end = at + op.data.size();
  if (content.size() < end) content.resize(end);
  constexpr std::size_t kSector = 512;
  if (random == nullptr || (*random)() % 2 == 0) {
    std::copy(op.data.begin(), op.data.end(), content.begin() + std::ptrdiff_t(at));
    return;
  }
  for (std::size_t i = 0; i < op.data.size(); i += kSector)
    if ((*random)() % 2 == 0)
      std::memcpy(content.data() + at + i, op.data.data() + i,
                  std::min(kSector, op.data.size() - i));
}

}  // namespace

Shim& shim() {
  static Shim the;
  static sqlite3_vfs vfs = [] {
    sqlite3_vfs v = *below();
    v.zName = kShimVfs;
    v.szOsFile = int(sizeof(File)) + below()->szOsFile;
    v.xOpen = open_file;
    v.xDelete = erase;
    return v;
  }();
  static const int registered = sqlite3_vfs_register(&vfs, 0);
  (void)registered;
  return the;
}

std::map<std::string, std::string> after_power_cut(const std::vector<DiskOp>& ops,
                                                   std::size_t count, std::mt19937_64& random) {
  std::map<std::string, std::string> synced;
  std::map<std::string, std::vector<const DiskOp*>> pending;
  for (std::size_t i = 0; i < count; ++i) {
    const DiskOp& op = ops[i];
    switch (op.kind) {
      case DiskOp::Kind::sync: {
        std::string& content = synced[op.file];
        for (const DiskOp* p : pending[op.file]) apply(content, *p, nullptr);
        pending[op.file].clear();
        break;
      }
      case DiskOp::Kind::erase:
        // SQLite has the directory synced where it matters.
        synced.erase(op.file);
        pending[op.file].clear();
        break;
      default:
        pending[op.file].push_back(&op);
    }
  }
  for (const auto& [name, all] : pending) {
    // All, none, or some.
    const std::uint64_t mood = random() % 4;
    for (const DiskOp* p : all) {
      if (mood == 0 || (mood > 1 && random() % 2 == 0)) continue;
      apply(synced[name], *p, mood == 1 ? nullptr : &random);
    }
  }
  return synced;
}

}  // namespace jobring::test
