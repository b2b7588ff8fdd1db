package coinbase

import "oneprice/books/venue"

func (d *decoder) scan(recv venue.Nanos, msg []byte) venue.Reason { return venue.NotMyShape }
