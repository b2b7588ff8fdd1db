package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/engine"
	"oneprice/engine/console"
)

// run lets everything work until ctx ends or something breaks, then stops in order: orders, feeds, gateways, engine, files.
func (l *Live) run(ctx context.Context, policy engine.Policy, tick <-chan time.Time, status func(*Live), socket *console.Socket) error {
	trading, stopTrading := context.WithCancel(ctx)
	feeding, stopFeeds := context.WithCancel(context.Background())
	deciding, stopLoop := context.WithCancel(context.Background())
	writing, stopFiles := context.WithCancel(context.Background())
	defer stopTrading()
	defer stopFeeds()
	defer stopLoop()
	defer stopFiles()
	var feeds, files sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	fail := func(err error) {
		if err != nil {
			mu.Lock()
			errs = append(errs, err)
			mu.Unlock()
			stopTrading()
		}
	}
	files.Go(func() { fail(l.Write(writing)) })
	if l.orders != nil {
		fail(l.orders.open(l.Loop, policy))
		go func() {
			select {
			case err := <-l.orders.failed:
				fail(err)
			case <-deciding.Done():
			}
		}()
	}
	for _, s := range l.killed {
		_, err := l.lane.put(venue.OpKill, s, 0, "killed before this start, and not lifted since")
		fail(err)
	}
	stopped := make(chan struct{}) // the engine has
	go func() {
		defer close(stopped)
		if l.decide(deciding, policy, tick) != nil {
			stopTrading() // settle says why
		}
	}()
	if socket != nil {
		c := &control{l: l, operators: []string{"", l.operator}}
		files.Go(func() { fail(socket.Run(deciding, c.handle)) })
	}
	l.feed(feeding, &feeds, fail)
	l.watch(trading, status)
	l.disarm(stopped)
	stopFeeds()
	feeds.Wait()
	if l.orders != nil {
		l.orders.stop()
	}
	stopLoop()
	l.Bell.Ring()
	<-stopped
	err := l.settle()
	if l.journal != nil {
		err = errors.Join(err, l.journal.End(l.edges.Clock.Now()))
	}
	stopFiles()
	files.Wait()
	return errors.Join(append(errs, err)...)
}

// feed starts what brings news of the venues: market data, and changes of what they list.
func (l *Live) feed(ctx context.Context, running *sync.WaitGroup, fail func(error)) {
	for id, f := range l.Feeders {
		if f != nil {
			out := l.sink(2 * (id - 1))
			running.Go(func() { fail(f.Run(ctx, out)) })
		}
	}
	for _, r := range l.refreshers {
		running.Go(func() { r.run(ctx, l.news) })
	}
}

// decide runs the engine until ctx ends or the engine halts. Under inline the feeds run it and this is for time alone.
func (l *Live) decide(ctx context.Context, policy engine.Policy, tick <-chan time.Time) error {
	if policy == engine.Spin {
		defer pin()()
	}
	if policy != engine.Inline {
		return l.Loop.Run(ctx)
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick:
			if err := l.Loop.Pulse(); err != nil {
				return err
			}
		}
	}
}

// settle ends the engine's session and gives the audit's writer, which still runs, time to make room for the last records.
func (l *Live) settle() error {
	err := l.Loop.Settle()
	for n := 0; errors.Is(err, engine.ErrUnwritten) && n < 500; n++ {
		l.edges.Clock.Sleep(context.Background(), 10*venue.Millisecond)
		err = errors.Join(l.Loop.Err(), l.Loop.Flush())
	}
	return err
}

// lookEvery is how often a session's figures are taken while it runs.
const lookEvery = 250 * time.Millisecond

// watch takes the engine's figures, and shows them, until ctx ends.
func (l *Live) watch(ctx context.Context, status func(*Live)) {
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			l.refresh()
			if status != nil {
				status(l)
			}
		}
	}
}

// closeWithin bounds how long the end of a session waits for its orders: longer than plans under way usually have.
const closeWithin = 3 * time.Second

// disarm ends trading as an operator would, through a ring of its own, so that it stands on the tape: the engine cancels
// what works and takes nothing new but the legs of plans under way. It returns once nothing works and no plan is under
// way, or when closeWithin has passed, or when the engine has stopped.
func (l *Live) disarm(stopped <-chan struct{}) {
	if _, err := l.lane.put(venue.OpDisarm, scope{}, 0, "the session ends"); err != nil {
		return // the session's end says what is open
	}
	n := len(l.Events) - 1
	late := time.After(closeWithin)
	t := time.NewTicker(5 * time.Millisecond)
	defer t.Stop()
	for fresh := 0; ; {
		select {
		case <-stopped:
			return
		case <-late:
			return
		case <-t.C:
		}
		// The first figures may have been asked for before the engine took the disarm, the second were not.
		if l.Events[n].Len() == 0 && l.refresh() {
			fresh++
		}
		if fresh >= 2 && openOrders(l) == 0 && l.Newest.Active == 0 {
			return
		}
	}
}

// open names the orders that are still open. The engine has stopped.
func (l *Live) open() []string {
	out := []string{}
	d := l.Engine.Desk()
	for _, in := range l.Instruments[1:] {
		for _, s := range d.Live[in.Inst] {
			o := &d.Orders[s]
			out = append(out, fmt.Sprintf("%s %s %s at %s: %s", in.Name, o.Side, fixed.Decimal(o.Qty-o.Filled, in.QtyScale), price(in, o.Price), o.State))
		}
	}
	return out
}
