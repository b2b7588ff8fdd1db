package app

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"oneprice/engine/mapped"
)

// hold takes the accounts of a session for this process, so that no other engine of this user and machine trades on one of
// them: two would each count the other's orders as strays, and either's limits would hold for half of what is done.
func (t *Trading) hold(o *OrderOptions) error {
	if o.Fresh || o.Alone {
		return nil // accounts that were made for this session alone
	}
	dir, err := mapped.RunFolder()
	if err != nil {
		return err
	}
	for id := 1; id < len(t.Venues); id++ {
		v := &t.Venues[id]
		a, ok := o.Accounts[v.Name]
		if !ok {
			continue
		}
		h := sha256.New()
		fmt.Fprintf(h, "oneprice account %s ", v.Adapter.Name)
		h.Write(a.Key.Reveal())
		held, err := mapped.Hold(dir, fmt.Sprintf("account-%x", h.Sum(nil)[:16]))
		if errors.Is(err, mapped.ErrHeld) {
			return &UsageError{fmt.Errorf("%s: another engine on this machine trades on account %s; end it first, or give this one a key of its own", v.Name, a.Name)}
		}
		if err != nil {
			return fmt.Errorf("%s: account %s: %w", v.Name, a.Name, err)
		}
		t.held = append(t.held, held)
	}
	return nil
}

// letGo gives the accounts back.
func (t *Trading) letGo() error {
	var errs []error
	for _, h := range t.held {
		errs = append(errs, h.Release())
	}
	t.held = nil
	return errors.Join(errs...)
}
