/* What a test puts between markwatch and the kernel's file calls (LD_PRELOAD; see shim.py).

   Below the folder SHIM_UNDER it counts every call that changes a file or a folder, and
   SHIM_KILL=n   kills the whole process group just before the n-th,
   SHIM_RECORD=f appends each to f, with its data, in the order in which they happened,
   SHIM_FAULT=f  makes calls fail while f says so: "<errno> <all|grow|move> <prefix>". */

#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#define FDS 65536
#define REAL(name) ((__typeof__(&name))real(#name))

static char under[4096];
static size_t under_length;
static long kill_at, changes;
static int record_fd = -1;
static const char *fault;
static char watched[FDS];
static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;

static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

__attribute__((constructor)) static void begin(void) {
    const char *folder = getenv("SHIM_UNDER"), *text;
    if (!folder) return;
    snprintf(under, sizeof under, "%s", folder);
    under_length = strlen(under);
    if ((text = getenv("SHIM_KILL"))) kill_at = atol(text);
    if ((text = getenv("SHIM_RECORD")))
        record_fd = REAL(open)(text, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if ((text = getenv("SHIM_FAULT"))) {
        int control = REAL(open)(text, O_RDONLY | O_CLOEXEC);
        void *page = control < 0 ? MAP_FAILED : mmap(NULL, 4096, PROT_READ, MAP_SHARED, control, 0);
        if (page != MAP_FAILED) fault = page;
        if (control >= 0) REAL(close)(control);
    }
}

/* The path itself, where it is given by the number of an open folder (`flows/opening.py`). */
static const char *resolved(const char *path, char *whole, size_t room) {
    char link[32], *end;
    const char *rest;
    if (!path || strncmp(path, "/proc/self/fd/", 14)) return path;
    long fd = strtol(path + 14, &end, 10);
    rest = end;
    snprintf(link, sizeof link, "/proc/self/fd/%ld", fd);
    ssize_t length = readlink(link, whole, room - 1);
    if (length < 0) return path;
    snprintf(whole + length, room - length, "%s", rest);
    return whole;
}

static int below(const char *path, const char *folder, size_t length) {
    return path && length && !strncmp(path, folder, length) &&
           (path[length] == '/' || !path[length]);
}

static int ours(const char *path) { return below(path, under, under_length); }

enum { LOOKS, GROWS, MOVES };

/* Whether a call on this path is to fail now; one that grows needs room on the disk. */
static int failing(const char *path, int does) {
    char kind[8], prefix[2048];
    int number = 0;
    if (!fault || !path || sscanf(fault, "%d %7s %2047[^\n]", &number, kind, prefix) != 3) return 0;
    if (!number || !below(path, prefix, strlen(prefix))) return 0;
    if (!strcmp(kind, "grow") && does != GROWS) return 0;
    if (!strcmp(kind, "move") && does != MOVES) return 0;
    errno = number;
    return 1;
}

static const char *name_of(int fd, char *path, size_t room) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, room - 1);
    path[length < 0 ? 0 : length] = 0;
    return path;
}

static int failing_fd(int fd, int does) {
    char path[4096];
    if (!fault || !atoi(fault)) return 0;
    return failing(name_of(fd, path, sizeof path), does);
}

/* One change at a time, so that what is recorded is what happened; `what` is NULL for no change. */
static void lock(const char *what, const char *path, int fd) {
    char name[4096];
    pthread_mutex_lock(&guard);
    if (!what || !kill_at || ++changes != kill_at) return;
    dprintf(2, "killed before %s %s\n", what, path ? path : name_of(fd, name, sizeof name));
    kill(0, SIGKILL);
}

static void unlock(void) { int kept = errno; pthread_mutex_unlock(&guard); errno = kept; }

static void note(char what, int fd, int64_t number, const void *one, uint32_t one_length,
                 const void *two, uint32_t two_length) {
    struct __attribute__((packed)) { char what; int32_t fd; int64_t number; uint32_t one, two; }
        head = {what, fd, number, one_length, two_length};
    if (record_fd < 0) return;
    int kept = errno;
    if (REAL(write)(record_fd, &head, sizeof head) < 0 ||
        (one_length && REAL(write)(record_fd, one, one_length) < 0) ||
        (two_length && REAL(write)(record_fd, two, two_length) < 0))
        abort();
    errno = kept;
}

#define TEXT(path) (path), (uint32_t)strlen(path)

static int opened(const char *given, int flags, mode_t mode,
                  int (*call)(const char *, int, ...)) {
    char whole[8192];
    const char *path = resolved(given, whole, sizeof whole);
    int grows = flags & O_CREAT, counts = flags & (O_CREAT | O_TRUNC), fd;
    if (failing(path, grows ? GROWS : LOOKS)) return -1;
    if (!ours(path)) return call(given, flags, mode);
    lock(counts ? "open" : NULL, path, 0);
    fd = call(given, flags, mode);
    if (fd >= 0 && fd < FDS) {
        watched[fd] = 1;
        note('o', fd, flags, TEXT(path), NULL, 0);
    }
    unlock();
    return fd;
}

#define MODE(flags)                              \
    mode_t mode = 0;                             \
    if ((flags) & (O_CREAT | O_TMPFILE)) {       \
        va_list rest;                            \
        va_start(rest, flags);                   \
        mode = va_arg(rest, mode_t);             \
        va_end(rest);                            \
    }

int open(const char *path, int flags, ...) {
    MODE(flags)
    return opened(path, flags, mode, REAL(open));
}

int open64(const char *path, int flags, ...) {
    MODE(flags)
    return opened(path, flags, mode, REAL(open64));
}

int openat(int folder, const char *path, int flags, ...) {
    MODE(flags)
    if (folder == AT_FDCWD || path[0] == '/') return opened(path, flags, mode, REAL(open));
    return REAL(openat)(folder, path, flags, mode);
}

int openat64(int folder, const char *path, int flags, ...) {
    MODE(flags)
    if (folder == AT_FDCWD || path[0] == '/') return opened(path, flags, mode, REAL(open64));
    return REAL(openat64)(folder, path, flags, mode);
}

FILE *fopen64(const char *path, const char *mode) {
    return failing(path, mode[0] != 'r' ? GROWS : LOOKS) ? NULL : REAL(fopen64)(path, mode);
}

int close(int fd) {
    if (fd < 0 || fd >= FDS || !watched[fd]) return REAL(close)(fd);
    lock(NULL, NULL, fd);
    watched[fd] = 0;
    note('c', fd, 0, NULL, 0, NULL, 0);
    int result = REAL(close)(fd);
    unlock();
    return result;
}

static int is_watched(int fd) { return fd >= 0 && fd < FDS && watched[fd]; }

ssize_t write(int fd, const void *data, size_t length) {
    if (failing_fd(fd, GROWS)) return -1;
    if (!is_watched(fd)) return REAL(write)(fd, data, length);
    lock("write", NULL, fd);
    ssize_t result = REAL(write)(fd, data, length);
    if (result > 0) note('w', fd, lseek(fd, 0, SEEK_CUR) - result, data, result, NULL, 0);
    unlock();
    return result;
}

#define PWRITE(name)                                                              \
    ssize_t name(int fd, const void *data, size_t length, off_t offset) {         \
        if (failing_fd(fd, GROWS)) return -1;                                         \
        if (!is_watched(fd)) return REAL(name)(fd, data, length, offset);         \
        lock("write", NULL, fd);                                                  \
        ssize_t result = REAL(name)(fd, data, length, offset);                    \
        if (result > 0) note('w', fd, offset, data, result, NULL, 0);             \
        unlock();                                                                 \
        return result;                                                            \
    }
PWRITE(pwrite)
PWRITE(pwrite64)

#define FTRUNCATE(name)                                       \
    int name(int fd, off_t length) {                          \
        if (failing_fd(fd, GROWS)) return -1;                     \
        if (!is_watched(fd)) return REAL(name)(fd, length);   \
        lock("truncate", NULL, fd);                           \
        int result = REAL(name)(fd, length);                  \
        if (!result) note('t', fd, length, NULL, 0, NULL, 0); \
        unlock();                                             \
        return result;                                        \
    }
FTRUNCATE(ftruncate)
FTRUNCATE(ftruncate64)

#define FSYNC(name)                                      \
    int name(int fd) {                                   \
        if (failing_fd(fd, LOOKS)) return -1;                \
        if (!is_watched(fd)) return REAL(name)(fd);      \
        lock("sync", NULL, fd);                          \
        int result = REAL(name)(fd);                     \
        if (!result) note('s', fd, 0, NULL, 0, NULL, 0); \
        unlock();                                        \
        return result;                                   \
    }
FSYNC(fsync)
FSYNC(fdatasync)

/* Python then copies with read and write, which are seen. */
ssize_t sendfile(int out, int in, off_t *offset, size_t count) {
    if (!under_length) return REAL(sendfile)(out, in, offset, count);
    errno = EINVAL;
    return -1;
}

ssize_t sendfile64(int out, int in, off64_t *offset, size_t count) {
    return sendfile(out, in, (off_t *)offset, count);
}

#define TWO(what, name)                                                       \
    int name(const char *given, const char *wanted) {                         \
        char one[8192], two[8192];                                            \
        const char *from = resolved(given, one, sizeof one);                  \
        const char *to = resolved(wanted, two, sizeof two);                   \
        if (failing(from, MOVES) || failing(to, MOVES)) return -1;            \
        if (!ours(from) && !ours(to)) return REAL(name)(given, wanted);       \
        lock(#name, from, 0);                                                 \
        int result = REAL(name)(given, wanted);                               \
        if (!result) note(what, 0, 0, TEXT(from), TEXT(to));                  \
        unlock();                                                             \
        return result;                                                        \
    }
TWO('r', rename)
TWO('l', link)

#define ONE(what, name, does, parameters, arguments)            \
    int name parameters {                                       \
        char whole[8192];                                       \
        const char *path = resolved(given, whole, sizeof whole); \
        if (failing(path, does)) return -1;                     \
        if (!ours(path)) return REAL(name) arguments;           \
        lock(#name, path, 0);                                   \
        int result = REAL(name) arguments;                      \
        if (!result) note(what, 0, 0, TEXT(path), NULL, 0);     \
        unlock();                                               \
        return result;                                          \
    }
ONE('u', unlink, LOOKS, (const char *given), (given))
ONE('d', rmdir, LOOKS, (const char *given), (given))
ONE('m', mkdir, GROWS, (const char *given, mode_t mode), (given, mode))

#define LOOK(name, parameters, arguments)                                \
    int name parameters {                                                \
        char whole[8192];                                                \
        if (failing(resolved(path, whole, sizeof whole), LOOKS)) return -1; \
        return REAL(name) arguments;                                     \
    }
LOOK(stat, (const char *path, struct stat *found), (path, found))
LOOK(stat64, (const char *path, struct stat64 *found), (path, found))
LOOK(lstat, (const char *path, struct stat *found), (path, found))
LOOK(lstat64, (const char *path, struct stat64 *found), (path, found))
LOOK(fstatat, (int fd, const char *path, struct stat *found, int flags), (fd, path, found, flags))
LOOK(fstatat64, (int fd, const char *path, struct stat64 *found, int flags),
     (fd, path, found, flags))

DIR *opendir(const char *path) { return failing(path, LOOKS) ? NULL : REAL(opendir)(path); }
