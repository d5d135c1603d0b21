// Stands between a program and the C library: records what the program does to the files below a folder, lets the n-th of these
// operations fail, refuses what some file systems cannot do, turns the clock back. Preloaded by tests; see disk.rs for its
// variables and for the format of the record.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define FDS 65536
#define REAL(name, type, ...) ((type (*)(__VA_ARGS__))real(&real_##name, #name))

static char root[4096], here[4096];
static int record_fd = -1, fail_at = -1, fail_with, fail_on, count, no_links, no_new_names, lock_error, clock_step;
static char ours[FDS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *real(void **slot, const char *name) {
    if (!*slot) *slot = dlsym(RTLD_NEXT, name);
    return *slot;
}

static void *real_openat, *real_close, *real_write, *real_writev, *real_ftruncate, *real_fsync, *real_fdatasync, *real_rename, *real_linkat, *real_unlink, *real_unlinkat, *real_mkdir, *real_rmdir,
*real_symlink, *real_flock, *real_clock_gettime;

static void raw_write(const void *bytes, size_t length) {
    const char *at = bytes;
    while (length > 0) {
        ssize_t done = syscall(SYS_write, record_fd, at, length);
        if (done <= 0) _exit(99);
        at += done, length -= done;
    }
}

// A line of the record, and bytes after it.
static void record(const void *bytes, size_t length, const char *format, ...) {
    if (record_fd < 0) return;
    char line[9000];
    va_list values;
    va_start(values, format);
    int size = vsnprintf(line, sizeof line, format, values);
    va_end(values);
    raw_write(line, size);
    if (bytes) raw_write(bytes, length);
    raw_write("\n", 1);
}

// The path within the folder, "." for the folder itself; NULL for files elsewhere.
static const char *inside(int folder, const char *path, char *full) {
    if (!root[0] || !path) return NULL;
    if (path[0] == '/') {
        snprintf(full, 8192, "%s", path);
    } else if (folder == AT_FDCWD) {
        snprintf(full, 8192, "%s/%s", here, path);
    } else {
        char link[64], to[4096];
        snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
        ssize_t size = readlink(link, to, sizeof to - 1);
        if (size < 0) return NULL;
        to[size] = 0;
        snprintf(full, 8192, "%s/%s", to, path);
    }
    size_t length = strlen(root);
    if (strncmp(full, root, length)) return NULL;
    if (!full[length]) return ".";
    return full[length] == '/' ? full + length + 1 : NULL;
}

// Whether the operation that comes now has to fail; sets errno then.
static int fails(void) {
    int now = ++count;
    if (fail_at < 0 || (fail_on ? now < fail_at : now != fail_at)) return 0;
    errno = fail_with;
    return 1;
}

__attribute__((constructor)) static void start(void) {
    const char *text;
    if (!getcwd(here, sizeof here)) _exit(98);
    if ((text = getenv("DISK_ROOT"))) snprintf(root, sizeof root, "%s", text);
    if ((text = getenv("DISK_RECORD"))) record_fd = syscall(SYS_openat, AT_FDCWD, text, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if ((text = getenv("DISK_FAIL_AT"))) fail_at = atoi(text);
    if ((text = getenv("DISK_FAIL_WITH"))) fail_with = atoi(text);
    if (getenv("DISK_FAIL_ON")) fail_on = 1;
    if (getenv("DISK_NO_LINKS")) no_links = 1;
    if ((text = getenv("DISK_LOCK_ERROR"))) lock_error = atoi(text);
    if ((text = getenv("DISK_CLOCK_STEP"))) clock_step = atoi(text);
    if (getenv("DISK_NO_RENAME_NEW")) no_new_names = 1;
    if (no_links || no_new_names) {
        // The program makes this call by itself, so it is refused in the kernel: as on a file system without it.
        struct sock_filter filter[] = {
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_renameat2, 0, 3),
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[4])),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 1),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) _exit(97);
    }
}

static int opened(int folder, const char *path, int flags, mode_t mode) {
    char full[8192];
    const char *name = inside(folder, path, full);
    if (!name) return REAL(openat, int, int, const char *, int, mode_t)(folder, path, flags, mode);
    pthread_mutex_lock(&lock);
    int fd = -1;
    if (!(flags & O_CREAT) || !fails()) {
        fd = REAL(openat, int, int, const char *, int, mode_t)(folder, path, flags, mode);
        if (fd >= 0 && fd < FDS) {
            ours[fd] = 1;
            record(NULL, 0, "open %d %c%c %s", fd, flags & O_CREAT ? 'c' : '-', flags & O_TRUNC ? 't' : '-', name);
        }
    }
    pthread_mutex_unlock(&lock);
    return fd;
}

#define MODE(flags)                                                  \
    mode_t mode = 0;                                                 \
    if (flags & (O_CREAT | __O_TMPFILE)) {                           \
        va_list rest;                                                \
        va_start(rest, flags);                                       \
        mode = va_arg(rest, mode_t);                                 \
        va_end(rest);                                                \
    }
int open(const char *path, int flags, ...) { MODE(flags) return opened(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return opened(AT_FDCWD, path, flags | O_LARGEFILE, mode); }
int openat(int folder, const char *path, int flags, ...) { MODE(flags) return opened(folder, path, flags, mode); }
int openat64(int folder, const char *path, int flags, ...) { MODE(flags) return opened(folder, path, flags | O_LARGEFILE, mode); }

static int is_ours(int fd) { return fd >= 0 && fd < FDS && ours[fd]; }

int close(int fd) {
    pthread_mutex_lock(&lock);
    if (is_ours(fd)) {
        ours[fd] = 0;
        record(NULL, 0, "close %d", fd);
    }
    int result = REAL(close, int, int)(fd);
    pthread_mutex_unlock(&lock);
    return result;
}

static ssize_t written(int fd, const void *bytes, size_t length, off_t at) {
    pthread_mutex_lock(&lock);
    ssize_t done = -1;
    if (!fails()) {
        done = syscall(SYS_pwrite64, fd, bytes, length, at);
        struct stat now;
        if (done >= 0 && !fstat(fd, &now)) {
            long long time = now.st_mtim.tv_sec * 1000000000LL + now.st_mtim.tv_nsec;
            record(bytes, done, "write %d %lld %lld %zd\n", fd, (long long)at, time, done);
        }
    }
    pthread_mutex_unlock(&lock);
    return done;
}

ssize_t write(int fd, const void *bytes, size_t length) {
    if (is_ours(fd)) {
        off_t at = lseek(fd, 0, SEEK_CUR);
        ssize_t done = written(fd, bytes, length, at);
        if (done > 0) lseek(fd, done, SEEK_CUR);
        return done;
    }
    if (fd == 2 && record_fd >= 0) {
        pthread_mutex_lock(&lock);
        record(bytes, length, "say %zu\n", length);
        pthread_mutex_unlock(&lock);
    }
    return REAL(write, ssize_t, int, const void *, size_t)(fd, bytes, length);
}
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) {
    return is_ours(fd) ? written(fd, bytes, length, at) : (ssize_t)syscall(SYS_pwrite64, fd, bytes, length, at);
}
ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t at) { return pwrite(fd, bytes, length, at); }
ssize_t writev(int fd, const struct iovec *parts, int number) {
    if (is_ours(fd)) return number > 0 ? write(fd, parts[0].iov_base, parts[0].iov_len) : 0;
    return REAL(writev, ssize_t, int, const struct iovec *, int)(fd, parts, number);
}
ssize_t copy_file_range(int from, off_t *at, int to, off_t *to_at, size_t length, unsigned flags) {
    (void)from, (void)at, (void)to, (void)to_at, (void)length, (void)flags;
    errno = ENOSYS;
    return -1;
}
ssize_t sendfile64(int to, int from, off_t *at, size_t length) {
    (void)from, (void)at, (void)to, (void)length;
    errno = ENOSYS;
    return -1;
}

// An operation on an open file, if it is one of ours, as a line of the record.
#define ON_FILE(call, format, ...)                                   \
    if (!is_ours(fd)) return call;                                   \
    pthread_mutex_lock(&lock);                                       \
    int result = -1;                                                 \
    if (!fails() && !(result = call)) record(NULL, 0, format, __VA_ARGS__); \
    pthread_mutex_unlock(&lock);                                     \
    return result;
int ftruncate(int fd, off_t length) {
    ON_FILE(REAL(ftruncate, int, int, off_t)(fd, length), "truncate %d %lld", fd, (long long)length)
}
int ftruncate64(int fd, off_t length) { return ftruncate(fd, length); }
int fsync(int fd) { ON_FILE(REAL(fsync, int, int)(fd), "sync %d", fd) }
int fdatasync(int fd) { ON_FILE(REAL(fdatasync, int, int)(fd), "sync %d", fd) }

// An operation on names in the folder. A name that is moved out of the folder or into it is not expected.
#define ON_NAMES(is_inside, call, format, ...)                       \
    if (!(is_inside)) return call;                                   \
    pthread_mutex_lock(&lock);                                       \
    int result = -1;                                                 \
    if (!fails() && !(result = call)) record(NULL, 0, format, __VA_ARGS__); \
    pthread_mutex_unlock(&lock);                                     \
    return result;
int rename(const char *from, const char *to) {
    char a[8192], b[8192];
    const char *one = inside(AT_FDCWD, from, a), *other = inside(AT_FDCWD, to, b);
    ON_NAMES(one && other, REAL(rename, int, const char *, const char *)(from, to), "rename %s\t%s", one, other)
}
int linkat(int folder, const char *from, int to_folder, const char *to, int flags) {
    char a[8192], b[8192];
    const char *one = inside(folder, from, a), *other = inside(to_folder, to, b);
    if (no_links && other) {
        errno = EOPNOTSUPP;
        return -1;
    }
    ON_NAMES(one && other, REAL(linkat, int, int, const char *, int, const char *, int)(folder, from, to_folder, to, flags), "link %s\t%s", one, other)
}
int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }
int symlink(const char *target, const char *path) {
    char a[8192];
    const char *name = inside(AT_FDCWD, path, a);
    ON_NAMES(name, REAL(symlink, int, const char *, const char *)(target, path), "symlink %s\t%s", target, name)
}
int unlink(const char *path) {
    char a[8192];
    const char *name = inside(AT_FDCWD, path, a);
    ON_NAMES(name, REAL(unlink, int, const char *)(path), "unlink %s", name)
}
int unlinkat(int folder, const char *path, int flags) {
    char a[8192];
    const char *name = inside(folder, path, a);
    ON_NAMES(name, REAL(unlinkat, int, int, const char *, int)(folder, path, flags), "unlink %s", name)
}
int mkdir(const char *path, mode_t mode) {
    char a[8192];
    const char *name = inside(AT_FDCWD, path, a);
    ON_NAMES(name, REAL(mkdir, int, const char *, mode_t)(path, mode), "mkdir %s", name)
}
int rmdir(const char *path) {
    char a[8192];
    const char *name = inside(AT_FDCWD, path, a);
    ON_NAMES(name, REAL(rmdir, int, const char *)(path), "unlink %s", name)
}

int flock(int fd, int operation) {
    if (lock_error) {
        errno = lock_error;
        return -1;
    }
    return REAL(flock, int, int, int)(fd, operation);
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    static int calls;
    int result = REAL(clock_gettime, int, clockid_t, struct timespec *)(clock, time);
    if (clock_step && clock == CLOCK_REALTIME) time->tv_sec += (time_t)clock_step * __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);
    return result;
}
