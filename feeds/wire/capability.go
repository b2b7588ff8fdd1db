package wire

// Capability is something that the order entry or the market data of a venue may offer. Every adapter offers all of them but
// for what its Lacks names, so that the cards of feeds/conform leave nothing out in silence.
type Capability uint8

const (
	// FOK: orders that fill whole or not at all.
	FOK Capability = iota
	// StopLoss and StopLimit: stops that rest at the venue.
	StopLoss
	StopLimit
	// FillIDs: each live fill is reported by itself, with the venue's own trade id.
	FillIDs
	// BalanceStream: balances are told as they change, not only when asked for.
	BalanceStream
	// Nonces: requests carry a number that must grow.
	Nonces
	// BookChecksum: book messages carry a checksum of the levels.
	BookChecksum
	// BinaryFeed: the same market data in a binary encoding.
	BinaryFeed
	// DeadMan: the venue itself cancels what an engine has left that does not say in time that it lives.
	DeadMan

	// Capabilities counts them.
	Capabilities
)

func (c Capability) String() string {
	return [...]string{"fok", "stop_loss", "stop_limit", "fill_ids", "balance_stream", "nonces", "book_checksum", "binary_feed", "dead_man"}[c]
}
