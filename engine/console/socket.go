package console

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Socket takes an operator's requests by a unix socket that only the owner of the data folder can reach: 0600 in a folder of
// 0700, and a peer of another user than ours is refused by what the kernel says of it. A request is one line of JSON, its
// answers are lines of JSON too, and the last one ends the connection.
type Socket struct {
	ln   *net.UnixListener
	path string
}

// Bounds of a request.
const (
	requestWithin = 5 * time.Second // to be written, and for each answer to be read
	requestBytes  = 1 << 16
)

// mostPath is what a socket's address can hold, its end included.
const mostPath = len(unix.RawSockaddrUnix{}.Path)

// SocketPath is where the socket of a data folder is. The error says that the path is too long for one.
func SocketPath(data string) (string, error) {
	path := filepath.Join(data, "ctl", "socket")
	full, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("control socket: %w", err)
	}
	if len(full) >= mostPath {
		full = path // the way from here may be shorter
	}
	if len(full) >= mostPath {
		return "", fmt.Errorf("control socket: the path %s has %d bytes, and a socket's may have %d; choose a data folder with a shorter path", full, len(full), mostPath-1)
	}
	return full, nil
}

// Listen makes the socket of a data folder. Nobody else may use the folder: whoever listened there before is gone.
func Listen(data string) (*Socket, error) {
	path, err := SocketPath(data)
	if err != nil {
		return nil, err
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, fmt.Errorf("control socket: the folder %s is not ours alone: %w", dir, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("control socket: %w", err), ln.Close())
	}
	return &Socket{ln, path}, nil
}

// Path is where it is.
func (s *Socket) Path() string { return s.path }

// Handler answers one request of a user. answer sends a line; its error says that nobody listens any more. ctx ends with the
// connection.
type Handler func(ctx context.Context, uid int, request []byte, answer func(any) error)

// Run serves until ctx ends, every connection by itself.
func (s *Socket) Run(ctx context.Context, h Handler) error {
	stop := context.AfterFunc(ctx, func() { s.ln.Close() })
	defer stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		c, err := s.ln.AcceptUnix()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("control socket: %w", err)
		}
		wg.Go(func() { attend(ctx, c, h) })
	}
}

// attend answers one connection.
func attend(ctx context.Context, c *net.UnixConn, h Handler) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	answer := func(v any) error {
		b, err := json.Marshal(v)
		if err != nil {
			return err
		}
		if err := c.SetWriteDeadline(time.Now().Add(requestWithin)); err != nil {
			return err
		}
		_, err = c.Write(append(b, '\n'))
		return err
	}
	uid, err := peer(c)
	if err != nil || uid != os.Geteuid() && uid != 0 {
		return // it sees its connection end, and learns nothing else
	}
	if c.SetReadDeadline(time.Now().Add(requestWithin)) != nil {
		return
	}
	in := bufio.NewReaderSize(c, requestBytes)
	line, err := in.ReadSlice('\n')
	if err != nil || c.SetReadDeadline(time.Time{}) != nil {
		return
	}
	request := append([]byte(nil), line...)
	go func() { // whoever asked says nothing more: an end of its side ends the request
		_, _ = in.ReadByte()
		cancel()
	}()
	h(ctx, uid, request, answer)
}

// peer is the user at the other end of a connection, as the kernel knows it.
func peer(c *net.UnixConn) (uid int, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	if e := raw.Control(func(fd uintptr) { cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); e != nil {
		return 0, e
	}
	if err != nil {
		return 0, err
	}
	return int(cred.Uid), nil
}

// ErrNoEngine says that nobody listens at a data folder's socket.
var ErrNoEngine = errors.New("no engine runs there")

// Reach reports whether somebody listens at a data folder's socket.
func Reach(data string) error {
	path, err := SocketPath(data)
	if err != nil {
		return err
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		return err
	}
	return c.Close()
}

// Ask sends a request to the engine of a data folder and gives each line of its answer to line until there are no more.
func Ask(ctx context.Context, data string, request any, line func([]byte) error) error {
	path, err := SocketPath(data)
	if err != nil {
		return err
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", path)
	switch {
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%s: %w", data, ErrNoEngine)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%s: its engine belongs to another user: %w", data, err)
	case err != nil:
		return fmt.Errorf("control socket: %w", err)
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	b, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("control socket: %w", err)
	}
	if _, err := c.Write(append(b, '\n')); err != nil {
		return fmt.Errorf("control socket: %w", err)
	}
	in := bufio.NewScanner(c)
	in.Buffer(nil, 1<<24)
	for in.Scan() {
		if err := line(in.Bytes()); err != nil {
			return err
		}
	}
	if err := in.Err(); err != nil && ctx.Err() == nil {
		return fmt.Errorf("control socket: the answer broke off: %w", err)
	}
	return ctx.Err()
}
