package wire

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
)

// echo serves one websocket that answers every message in upper case until the listener closes.
func echo(t *testing.T, h *Held) (addr string, stop func()) {
	l, err := h.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	up := websocket.Upgrader{}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		for {
			k, m, err := c.ReadMessage()
			if err != nil {
				return
			}
			if c.WriteMessage(k, []byte(strings.ToUpper(string(m)))) != nil {
				return
			}
		}
	})}
	go srv.Serve(l)
	return l.Addr().String(), func() { srv.Close() }
}

func TestHeld_carriesGorillaInsideABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHeld()
		addr, stop := echo(t, h)
		done := make(chan string, 1)
		go func() {
			d := websocket.Dialer{NetDialContext: h.DialContext, HandshakeTimeout: time.Minute}
			c, _, err := d.Dial("ws://"+addr+"/", nil)
			if err != nil {
				done <- err.Error()
				return
			}
			defer c.Close()
			c.WriteMessage(websocket.TextMessage, []byte("hello"))
			_, m, err := c.ReadMessage()
			done <- fmt.Sprint(string(m), err)
		}()
		steps := 0
		for steps < 100 {
			synctest.Wait()
			w := h.Waiting(nil)
			if len(w) == 0 {
				break
			}
			h.Release(w[0])
			steps++
		}
		require.Equal(t, "HELLO<nil>", <-done)
		require.GreaterOrEqual(t, steps, 4, "request, upgrade, message and answer are released one by one")
		stop()
		h.Free()
		synctest.Wait()
	})
}

func TestHeld_nothingArrivesBeforeItsRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHeld()
		a, b := pair(t, h)
		a.Write([]byte("one"))
		a.Write([]byte("two"))
		require.NoError(t, b.SetReadDeadline(time.Now().Add(time.Second)))
		buf := make([]byte, 16)
		_, err := b.Read(buf)
		var ne net.Error
		require.True(t, errors.As(err, &ne) && ne.Timeout(), "unexpected %v; want a timeout", err)
		require.NoError(t, b.SetReadDeadline(time.Time{}))
		require.Equal(t, []int{0}, h.Waiting(nil))
		arrives(t, h)
		n, err := b.Read(buf)
		require.NoError(t, err)
		require.Equal(t, "one", string(buf[:n]))
		a.Close()
		arrives(t, h)
		arrives(t, h)
		n, _ = b.Read(buf)
		require.Equal(t, "two", string(buf[:n]))
		_, err = b.Read(buf)
		require.ErrorContains(t, err, "EOF")
		_, err = b.Write([]byte("x"))
		require.Error(t, err, "the other end is closed")
	})
}

func TestHeld_cutFailsBothEnds(t *testing.T) {
	h := NewHeld()
	a, b := pair(t, h)
	a.Write([]byte("lost"))
	h.Cut(0)
	_, err := b.Read(make([]byte, 4))
	require.Error(t, err)
	_, err = a.Write([]byte("x"))
	require.Error(t, err)
	require.Empty(t, h.Waiting(nil))
}

func TestHeld_deadlineMovesWhileAReaderWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHeld()
		_, b := pair(t, h)
		b.SetReadDeadline(time.Now().Add(time.Second))
		start := time.Now()
		go func() {
			time.AfterFunc(500*time.Millisecond, func() { b.SetReadDeadline(time.Now().Add(2 * time.Second)) })
		}()
		_, err := b.Read(make([]byte, 1))
		require.Error(t, err)
		require.Equal(t, 2500*time.Millisecond, time.Since(start).Truncate(time.Millisecond), "it ends at an instant of its own")
	})
}

func TestHeld_sameSeedSameOrder(t *testing.T) {
	run := func(seed uint64) string {
		var log strings.Builder
		synctest.Test(t, func(t *testing.T) {
			h := NewHeld()
			rnd := rand.New(rand.NewPCG(seed, 2))
			got := make(chan string, 64)
			for i := range 4 {
				a, b := pair(t, h)
				go func() {
					for k := range 5 {
						fmt.Fprintf(a, "%d.%d ", i, k)
					}
				}()
				go func() {
					buf := make([]byte, 64)
					for range 5 {
						n, err := b.Read(buf)
						if err != nil {
							return
						}
						got <- string(buf[:n])
					}
				}()
			}
			for {
				synctest.Wait()
				w := h.Waiting(nil)
				if len(w) == 0 {
					break
				}
				h.Release(w[rnd.IntN(len(w))])
				synctest.Wait()
				log.WriteString(<-got)
			}
		})
		return log.String()
	}
	require.Equal(t, run(1), run(1))
	require.NotEqual(t, run(1), run(2))
	require.Len(t, strings.Fields(run(3)), 20)
}

// arrives releases one write of the first link.
func arrives(t *testing.T, h *Held) {
	t.Helper()
	_, ok := h.Release(0)
	require.True(t, ok)
}

// pair is one connection: the dialer's end and the listener's.
func pair(t *testing.T, h *Held) (net.Conn, net.Conn) {
	t.Helper()
	l, err := h.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	a, err := h.DialContext(context.Background(), "tcp", l.Addr().String())
	require.NoError(t, err)
	b, err := l.Accept()
	require.NoError(t, err)
	return a, b
}
