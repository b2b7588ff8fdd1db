package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
)

// overTLS connects gorilla to a venue on a loopback socket under TLS, by a dialer that spins.
func overTLS(t *testing.T, serve func(*websocket.Conn)) *websocket.Conn {
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		up := websocket.Upgrader{}
		c, err := up.Upgrade(w, r, nil)
		if err == nil {
			defer c.Close()
			serve(c)
		}
	}))
	t.Cleanup(srv.Close)
	d := websocket.Dialer{HandshakeTimeout: 10 * time.Second}
	spin(&d, &Machine{}, srv.Client().Transport.(*http.Transport).TLSClientConfig)
	c, _, err := d.Dial("wss"+strings.TrimPrefix(srv.URL, "https"), nil)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	require.IsType(t, &spinConn{}, c.UnderlyingConn().(*tls.Conn).NetConn(), "TLS runs over a connection that does not spin")
	return c
}

func TestSpinning_carriesMessagesOfEverySizeUnderTLS(t *testing.T) {
	var sent [][]byte
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 125, 126, 4095, 4096, 16_383, 16_384, 16_385, 65_535, 65_536, 300_000, 1 << 20} {
		m := make([]byte, n)
		for i := range m {
			m[i] = byte(r.Uint32())
		}
		sent = append(sent, m)
	}
	c := overTLS(t, func(c *websocket.Conn) {
		for range sent { // back as they come
			kind, m, err := c.ReadMessage()
			if err != nil || c.WriteMessage(kind, m) != nil {
				return
			}
		}
		c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(time.Second))
	})
	for _, m := range sent {
		require.NoError(t, c.WriteMessage(websocket.BinaryMessage, m))
		_, got, err := c.ReadMessage()
		require.NoError(t, err)
		require.Equal(t, len(m), len(got))
		require.Equal(t, string(m), string(got))
	}
	_, _, err := c.ReadMessage()
	require.True(t, websocket.IsCloseError(err, websocket.CloseNormalClosure), "unexpected end: %v", err)
}

func TestSpinning_readStopsAtOnceWhenClosed(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	c := overTLS(t, func(*websocket.Conn) { <-release })
	ended := make(chan error)
	go func() {
		_, _, err := c.ReadMessage()
		ended <- err
	}()
	c.UnderlyingConn().Close() // as a Session does
	select {
	case err := <-ended:
		require.ErrorIs(t, err, net.ErrClosed)
	case <-time.After(5 * time.Second):
		t.Fatal("a read went on after its connection was closed")
	}
}

func TestSpinning_readHonoursItsDeadline(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	c := overTLS(t, func(*websocket.Conn) { <-release })
	began := time.Now()
	require.NoError(t, c.SetReadDeadline(began.Add(50*time.Millisecond)))
	_, _, err := c.ReadMessage()
	var timeout net.Error
	require.ErrorAs(t, err, &timeout)
	require.True(t, timeout.Timeout())
	require.GreaterOrEqual(t, time.Since(began), 50*time.Millisecond)
	require.Less(t, time.Since(began), 5*time.Second)
}

// pipe is a spinning connection with its peer, over loopback TCP.
func pipe(t *testing.T, idle func()) (near, far net.Conn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	far, err = l.Accept()
	require.NoError(t, err)
	near, err = Spinning(c, idle)
	require.NoError(t, err)
	t.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}

func TestSpinning_idlesInsteadOfBlocking(t *testing.T) {
	idled := 0
	var far net.Conn
	near, far := pipe(t, func() {
		if idled++; idled == 1000 { // only then is there anything to read
			far.Write([]byte("x"))
		}
	})
	n, err := near.Read(make([]byte, 8))
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.GreaterOrEqual(t, idled, 1000)
}

func TestSpinning_readsOnAfterADeadlineThatPassed(t *testing.T) {
	near, far := pipe(t, nil)
	buf := make([]byte, 8)
	require.NoError(t, near.SetDeadline(time.Now().Add(-time.Second)))
	_, err := near.Read(buf)
	var timeout net.Error
	require.ErrorAs(t, err, &timeout)
	require.True(t, timeout.Timeout())
	require.NoError(t, near.SetDeadline(time.Time{}))
	_, err = far.Write([]byte("more"))
	require.NoError(t, err)
	n, err := near.Read(buf)
	require.NoError(t, err)
	require.Equal(t, "more", string(buf[:n]))
	require.NoError(t, far.Close())
	_, err = near.Read(buf)
	require.ErrorIs(t, err, io.EOF)
}

func TestSpin_handshakeEndsWithItsContext(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // accepts by its backlog and never speaks
	require.NoError(t, err)
	defer l.Close()
	for _, scheme := range []string{"ws", "wss"} {
		d := websocket.Dialer{}
		spin(&d, &Machine{}, nil)
		ctx, stop := context.WithTimeout(context.Background(), 50*time.Millisecond)
		_, _, err = d.DialContext(ctx, scheme+"://"+l.Addr().String(), nil)
		stop()
		var timeout net.Error
		require.True(t, errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout(), "%s: %v", scheme, err)
	}
}

func TestSpinning_makesNoGarbageWhileItWaits(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	c, err := net.Dial("tcp", ln.Addr().String())
	require.NoError(t, err)
	defer c.Close()
	far, err := ln.Accept()
	require.NoError(t, err)
	defer far.Close()
	turns, buf := 0, make([]byte, 8)
	s, err := Spinning(c, func() {
		if turns++; turns%3000 == 0 {
			if _, err := far.Write(buf); err != nil {
				panic(err)
			}
		}
	})
	require.NoError(t, err)
	require.Zero(t, testing.AllocsPerRun(3, func() {
		if _, err := io.ReadFull(s, buf); err != nil {
			panic(err)
		}
	}))
	require.Greater(t, turns, 9000)
}
