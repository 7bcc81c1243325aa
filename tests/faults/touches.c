/* Counts what a process changes below a folder, and fails or kills it there: loaded with LD_PRELOAD.

   A touch is a call that creates, writes, resizes, renames, removes or syncs something below the folder.
   `touches_begin(folder, mode, at)` starts the count: from touch number `at` on the disk is full (FULL), or the
   process dies there (KILL), after half of a write. `touches_count` says how many there were. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { COUNT, FULL, KILL };
static char folder[PATH_MAX];
static long count, limit = -1;
static int mode = COUNT;

void touches_begin(const char *below, int what, long at) {
    strncpy(folder, below, sizeof folder - 1);
    mode = what, limit = at;
    __atomic_store_n(&count, 0, __ATOMIC_SEQ_CST);
}

long touches_count(void) { return __atomic_load_n(&count, __ATOMIC_SEQ_CST); }

static int below(const char *path) {
    char whole[2 * PATH_MAX], here[PATH_MAX];
    if (!*folder || !path) return 0;
    if (*path == '/') return !strncmp(path, folder, strlen(folder));
    if (!getcwd(here, sizeof here)) return 0;
    snprintf(whole, sizeof whole, "%s/%s", here, path);
    return !strncmp(whole, folder, strlen(folder));
}

static int open_below(int file) {
    char name[64], path[PATH_MAX];
    if (!*folder) return 0;
    snprintf(name, sizeof name, "/proc/self/fd/%d", file);
    ssize_t length = readlink(name, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return below(path);
}

static void die(void) { kill(getpid(), SIGKILL); }

/* Whether the call may go on. needs: whether it takes room on the disk. */
static int touch(int needs) {
    long number = __atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST);
    if (mode == KILL && number == limit) die();
    if (mode == FULL && number >= limit && needs) {
        errno = ENOSPC;
        return 0;
    }
    return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define OPEN(name)                                                        \
    int name(const char *path, int flags, ...) {                          \
        mode_t rights = 0;                                                \
        if (flags & (O_CREAT | O_TMPFILE)) {                              \
            va_list rest;                                                 \
            va_start(rest, flags);                                        \
            rights = va_arg(rest, mode_t);                                \
            va_end(rest);                                                 \
        }                                                                 \
        int makes = (flags & O_CREAT) && access(path, F_OK);              \
        if ((makes || (flags & O_TRUNC)) && below(path) && !touch(makes)) \
            return -1;                                                    \
        return REAL(name)(path, flags, rights);                           \
    }
OPEN(open)
OPEN(open64)

#define WRITE(name, parameters, arguments, half)                                \
    ssize_t name parameters {                                                   \
        if (open_below(file)) {                                                 \
            if (mode == KILL && touches_count() + 1 == limit) {                 \
                half;                                                           \
                die();                                                          \
            }                                                                   \
            if (!touch(1)) return -1;                                           \
        }                                                                       \
        return REAL(name) arguments;                                            \
    }
WRITE(write, (int file, const void *data, size_t n), (file, data, n), (void)!REAL(write)(file, data, n / 2))
WRITE(pwrite, (int file, const void *data, size_t n, off_t at), (file, data, n, at), (void)!REAL(pwrite)(file, data, n / 2, at))
WRITE(pwrite64, (int file, const void *data, size_t n, off64_t at), (file, data, n, at), (void)!REAL(pwrite64)(file, data, n / 2, at))
WRITE(writev, (int file, const struct iovec *data, int n), (file, data, n), (void)0)

#define CALL(name, parameters, arguments, inside, needs) \
    int name parameters {                                \
        if ((inside) && !touch(needs)) return -1;        \
        return REAL(name) arguments;                     \
    }
CALL(ftruncate, (int file, off_t n), (file, n), open_below(file), 0)
CALL(ftruncate64, (int file, off64_t n), (file, n), open_below(file), 0)
CALL(truncate, (const char *path, off_t n), (path, n), below(path), 0)
CALL(truncate64, (const char *path, off64_t n), (path, n), below(path), 0)
CALL(fsync, (int file), (file), open_below(file), 1)
CALL(rename, (const char *path, const char *to), (path, to), below(to), 0)
CALL(renameat, (int a, const char *path, int b, const char *to), (a, path, b, to), below(to), 0)
CALL(link, (const char *path, const char *to), (path, to), below(to), 1)
CALL(linkat, (int a, const char *path, int b, const char *to, int flags), (a, path, b, to, flags), below(to), 1)
CALL(unlink, (const char *path), (path), below(path), 0)
CALL(unlinkat, (int at, const char *path, int flags), (at, path, flags), below(path), 0)
CALL(mkdir, (const char *path, mode_t rights), (path, rights), below(path), 1)
CALL(mkdirat, (int at, const char *path, mode_t rights), (at, path, rights), below(path), 1)
