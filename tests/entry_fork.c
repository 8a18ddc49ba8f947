/* C that starts a program without a fork of its own. */

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static long wait_for(pid_t pid) {
    int status;
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The exit status of a shell, started in one of two ways. */
long entry_fork_exec(long by_vfork) {
    static char *const arguments[] = {"sh", "-c", "exit 5", 0};
    pid_t pid;
    if (by_vfork) {
        pid = vfork();
        if (pid == 0) {
            execve("/bin/sh", arguments, environ);
            _exit(99);
        }
    } else if (posix_spawn(&pid, "/bin/sh", 0, 0, arguments, environ) != 0) {
        return -1;
    }
    return wait_for(pid);
}
