//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// processorTime is what this process has used since it began.
func processorTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// peakMemory is the most that has been resident of this process, in bytes.
func peakMemory() (int64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if text, found := strings.CutPrefix(line, "VmHWM:"); found {
			kibibytes, err := strconv.ParseInt(strings.Fields(text)[0], 10, 64)
			return kibibytes << 10, err
		}
	}
	return 0, errors.New("/proc/self/status has no VmHWM")
}

// eachFile visits the regular files below a directory. Others may be removing some of them.
func eachFile(dir string, visit func(path string, size int64) error) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			var info fs.FileInfo
			if info, err = entry.Info(); err == nil {
				err = visit(path, info.Size())
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
}

// diskUse is the size of all files below a directory.
func diskUse(dir string) (bytes int64, err error) {
	err = eachFile(dir, func(_ string, size int64) error {
		bytes += size
		return nil
	})
	return bytes, err
}

// cache reads every file, so that they lie in the page cache.
func cache(dir string) error {
	return eachFile(dir, func(path string, _ int64) error {
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		// Through a small buffer: this is the process whose memory is measured.
		_, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{file}, make([]byte, 64<<10))
		return errors.Join(err, file.Close())
	})
}

// evict makes the system forget what it has cached of the files: each is brought to the disk and then given up.
// It returns the share of them that is cached all the same.
func evict(dir string) (left float64, err error) {
	var pages, cached uint64
	err = eachFile(dir, func(path string, size int64) error {
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer func() { _ = file.Close() }()
		if err := file.Sync(); err != nil {
			return err
		}
		if err := unix.Fadvise(int(file.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
			return fmt.Errorf("evict %s: %w", path, err)
		}
		var found unix.Cachestat_t
		err = unix.Cachestat(uint(file.Fd()), &unix.CachestatRange{}, &found, 0)
		pages, cached = pages+uint64(size)/uint64(os.Getpagesize())+1, cached+found.Cache
		return err
	})
	if errors.Is(err, unix.ENOSYS) {
		return 0, nil // kernels before 6.5 do not tell
	}
	return float64(cached) / float64(pages), err
}

// machine describes what this runs on.
func machine() string {
	var system unix.Utsname
	var memory unix.Sysinfo_t
	if err := errors.Join(unix.Uname(&system), unix.Sysinfo(&memory)); err != nil {
		return err.Error()
	}
	release, _, _ := bytes.Cut(system.Release[:], []byte{0})
	return fmt.Sprintf("%d cores, %d GiB memory, %s/%s, %s, Linux %s", runtime.GOMAXPROCS(0),
		(memory.Totalram*uint64(memory.Unit)+1<<29)>>30, runtime.GOOS, runtime.GOARCH, runtime.Version(), release)
}
