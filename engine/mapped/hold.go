package mapped

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// RunFolder is the folder of this user, on this machine, for what no two processes of it may hold at once. It depends on no
// environment variable, since what two processes are started by may differ.
func RunFolder() (string, error) {
	uid := os.Geteuid()
	dir := fmt.Sprintf("/run/user/%d", uid)
	if unix.Access(dir, unix.W_OK) != nil {
		dir = fmt.Sprintf("/tmp/oneprice-%d", uid)
	} else {
		dir = filepath.Join(dir, "oneprice")
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return "", fmt.Errorf("run folder: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return "", fmt.Errorf("run folder: %w", err)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || !info.IsDir() || int(st.Uid) != uid || info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("run folder: %s is not a folder of ours alone; remove it", dir)
	}
	return dir, nil
}

// ErrHeld says that another process holds a name.
var ErrHeld = errors.New("held by another process")

// Held is a name that this process holds. Release gives it back; a killed process leaves it free.
type Held struct {
	f    *os.File
	path string
}

// Hold takes a name in a folder for this process, or says ErrHeld.
func Hold(dir, name string) (*Held, error) {
	path := filepath.Join(dir, name)
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, fmt.Errorf("hold: %w", err)
		}
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			if errors.Is(err, unix.EWOULDBLOCK) {
				err = ErrHeld
			}
			return nil, errors.Join(err, f.Close())
		}
		mine, err := f.Stat()
		if err != nil {
			return nil, errors.Join(fmt.Errorf("hold: %w", err), f.Close())
		}
		if now, err := os.Stat(path); err == nil && os.SameFile(mine, now) {
			return &Held{f, path}, nil
		}
		if err := f.Close(); err != nil { // who held it before has taken the file away meanwhile: again
			return nil, fmt.Errorf("hold: %w", err)
		}
	}
}

// Release gives the name back.
func (h *Held) Release() error { return errors.Join(os.Remove(h.path), h.f.Close()) }
