package coinbase

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// maxAnswer bounds the body of one answer, in bytes.
const maxAnswer = 16 << 20

// fate is what became of one request.
type fate uint8

const (
	// unsent: no byte of it has left the process.
	unsent fate = iota
	// killed: the kill switch stopped it at the last instruction before the write.
	killed
	// answered: the venue has answered.
	answered
	// silent: it may have arrived, and no answer came in time; lost: the connection ended instead.
	silent
	lost
)

// answer is one answer of the venue.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// target is where lines lead to.
type target struct {
	net     wire.Net
	clock   *wire.Clock
	tls     *tls.Config // nil for plain text
	address string      // host:port
	host    string      // as requests name it
	timeout venue.Nanos
	kill    *venue.Kill
}

// newTarget reads a base address: http or https, host, and port where it is not the usual one.
func newTarget(rest string, conf *tls.Config) (target, error) {
	u, err := url.Parse(rest)
	if err != nil || u.Host == "" || u.Path != "" || u.Scheme != "http" && u.Scheme != "https" {
		return target{}, fmt.Errorf("coinbase: the address of the REST, %q, is not https://host", rest)
	}
	t := target{host: u.Host, address: u.Host}
	if u.Scheme == "https" {
		t.tls = conf.Clone()
		if t.tls == nil {
			t.tls = &tls.Config{}
		}
		if t.tls.ServerName == "" {
			t.tls.ServerName = u.Hostname()
		}
		t.tls.NextProtos = []string{"http/1.1"}
	}
	if u.Port() == "" {
		t.address = net.JoinHostPort(u.Hostname(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	}
	return t, nil
}

// line is one connection that is kept open, for one request at a time: HTTP/1.1 by hand, because of a request we have to
// know whether a byte of it left, and because no library may send it again. Its sender writes; a goroutine of its own
// reads, so that a connection which the venue ends is seen before the next order, not by it.
type line struct {
	target
	conn    net.Conn
	out     *counted
	waiting atomic.Bool // an answer is due
	answers chan answer
	dead    chan struct{}
}

// counted counts the bytes that went into a socket, below TLS.
type counted struct {
	net.Conn
	n atomic.Int64
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.n.Add(int64(n))
	return n, err
}

// dial opens a line.
func (t target) dial(ctx context.Context) (*line, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(t.timeout))
	defer cancel()
	raw, err := t.net.DialContext(ctx, "tcp", t.address)
	if err != nil {
		return nil, err
	}
	l := &line{target: t, out: &counted{Conn: raw}, answers: make(chan answer, 1), dead: make(chan struct{})}
	l.conn = l.out
	if t.tls != nil {
		c := tls.Client(l.out, t.tls)
		if err := c.HandshakeContext(ctx); err != nil {
			raw.Close()
			return nil, err
		}
		l.conn = c
	}
	go l.read()
	return l, nil
}

// close ends the line and waits for its reader.
func (l *line) close() {
	l.out.Close()
	<-l.dead
}

// alive reports whether the line may still be used.
func (l *line) alive() bool {
	select {
	case <-l.dead:
		return false
	default:
		return true
	}
}

// read is the reading goroutine.
func (l *line) read() {
	defer close(l.dead)
	defer l.out.Close()
	r := bufio.NewReaderSize(l.conn, 16<<10)
	for {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return
		}
		if resp.StatusCode < 200 {
			continue // informational: the answer is still to come
		}
		body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
		if err != nil || len(body) > maxAnswer || !l.waiting.Swap(false) {
			return
		}
		l.answers <- answer{resp.StatusCode, resp.Header, body} // has room: one request at a time
		if resp.Close {
			return
		}
	}
}

// ask writes one request and waits for its answer; c is the order or edit in it, nil for what the kill gate lets through. A line whose request was not answered is closed: what came later would
// be taken for the answer to the next one.
func (l *line) ask(ctx context.Context, c *venue.Command, request []byte) (answer, fate) {
	if !l.alive() {
		return answer{}, unsent
	}
	from := l.out.n.Load()
	if err := l.conn.SetWriteDeadline(l.clock.Deadline(l.timeout)); err != nil {
		return answer{}, unsent
	}
	l.waiting.Store(true)
	if l.kill.Blocks(c) {
		l.waiting.Store(false)
		return answer{}, killed
	}
	if _, err := l.conn.Write(request); err != nil {
		l.close()
		if l.out.n.Load() == from {
			return answer{}, unsent
		}
		return answer{}, lost
	}
	t := l.clock.Timer(l.timeout)
	defer t.Stop()
	select {
	case a := <-l.answers:
		return a, answered
	case <-l.dead:
		select {
		case a := <-l.answers:
			return a, answered
		default:
			return answer{}, lost
		}
	case <-t.C:
	case <-ctx.Done():
	}
	l.close()
	select {
	case a := <-l.answers:
		return a, answered
	default:
		return answer{}, silent
	}
}

// warm makes the request that keeps an idle line open. It touches no account.
func (t target) warm() []byte {
	return []byte("GET " + pathTime + " HTTP/1.1\r\nHost: " + t.host + "\r\nUser-Agent: oneprice\r\n\r\n")
}

// client makes the client of cold questions: GET requests, which may be sent again.
func (t target) client() *http.Client {
	return &http.Client{Timeout: time.Duration(max(4*t.timeout, 10*venue.Second)),
		Transport: &http.Transport{DialContext: wire.Apart(t.net, t.clock).DialContext, TLSClientConfig: t.tls, MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute}}
}
