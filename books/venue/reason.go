package venue

// Reason names why something was refused, gone stale or failed. The hot path carries this byte-sized enum, never a
// string or an error; text is made at the edge.
type Reason uint16

const (
	OK Reason = iota

	// Decoding and feeds.
	NotMyShape     // a specialised scanner met another shape: use the fallback
	Malformed      // the message is not valid for this venue; nothing of it was applied
	UnknownSymbol  // an instrument that is not in the table
	OffScale       // a value with more decimals than the product's scale
	TooLarge       // a value beyond fixed.Limit
	OffTick        // a price between ticks
	Ignored        // a valid message that carries no event
	Duplicate      // a message already seen
	RingFull       // no room in a ring
	ConnectionLost // the socket ended

	// Book trust.
	NoSnapshot       // nothing to build on yet
	SequenceGap      // ids do not join
	ChecksumMismatch // the venue's checksum disagrees
	Crossed          // best bid ≥ best ask
	TouchMismatch    // the venue's own best bid and offer disagrees at the same id
	TooOld           // silent for too long
	Lagging          // the venue's time lags its rolling minimum too much
	PendingOverflow  // too many deltas waited for a snapshot
	BadLevel         // negative quantity or price outside the instrument's range
	InstrumentHalted // the venue does not trade it now

	// Risk.
	Killed
	NotArmed
	ReduceOnlyMode
	NotAllowed // venue, instrument or strategy is not on the allow-list
	BreakerOpen
	GlobalBreakerOpen
	BookNotLive
	BookTooOld
	BadTick
	BadLot
	BelowMinQty
	BelowMinNotional
	AboveMaxQty
	AboveMaxNotional
	PriceCollar
	Slippage
	PositionLimit
	ProductLimit
	VenuePositionLimit
	GrossExposure
	NetExposure
	VenueExposure
	OpenOrderLimit
	OrderRate
	MessageRate
	OrdersPerDay
	TradesPerDay
	DuplicateIntent
	SelfMatch
	NoBalance
	DailyLoss
	Drawdown
	LossStreak
	RepeatedExecutions
	ShortNotAllowed
	MarginLimit
	ClockOffset
	NoReference // a limit, reference price, or exchange rate is missing
	NoFX
	Overflowed // arithmetic left its range
	AuditBehind
	CommandRingFull
	JournalFull
	Late // decided too long ago: NotAfter has passed
	NotionalAtFinality
	Restricted
	SessionClosed
	UnknownTarget // a cancel or amend of an order we do not have
	BadIntent
	PlanLimit

	// Orders and venues.
	VenueRejected
	PostOnlyCross
	Unfilled // an IOC or FOK that found nothing
	SelfTradePrevented
	InsufficientFunds
	RateLimited
	AuthFailed
	VenueBusy
	Timeout
	UserCancel
	VenueCancel
	AccountDiffers // the venue states another balance or position than our fills make
	StrayOrder     // it has one of our ids, and this run neither placed nor adopted it
	ForeignOrder   // somebody else's on our account
	StopFired      // risk: the instrument takes nothing but what closes it until an operator arms

	reasons // count
)

var reasonText = [reasons]string{
	"ok",
	"not_my_shape", "malformed", "unknown_symbol", "off_scale", "too_large", "off_tick", "ignored", "duplicate", "ring_full", "connection_lost",
	"no_snapshot", "sequence_gap", "checksum_mismatch", "crossed", "touch_mismatch", "too_old", "lagging", "pending_overflow", "bad_level", "instrument_halted",
	"killed", "not_armed", "reduce_only_mode", "not_allowed", "breaker_open", "global_breaker_open", "book_not_live", "book_too_old",
	"bad_tick", "bad_lot", "below_min_qty", "below_min_notional", "above_max_qty", "above_max_notional", "price_collar", "slippage",
	"position_limit", "product_limit", "venue_position_limit", "gross_exposure", "net_exposure", "venue_exposure", "open_order_limit",
	"order_rate", "message_rate", "orders_per_day", "trades_per_day", "duplicate_intent", "self_match", "no_balance", "daily_loss",
	"drawdown", "loss_streak", "repeated_executions", "short_not_allowed", "margin_limit", "clock_offset", "no_reference", "no_fx",
	"overflowed", "audit_behind", "command_ring_full", "journal_full", "late", "notional_at_finality", "restricted", "session_closed",
	"unknown_target", "bad_intent", "plan_limit",
	"venue_rejected", "post_only_cross", "unfilled", "self_trade_prevented", "insufficient_funds", "rate_limited", "auth_failed",
	"venue_busy", "timeout", "user_cancel", "venue_cancel", "account_differs", "stray_order", "foreign_order", "stop_fired",
}

// String is the stable snake_case name used in JSON, audit and metrics.
func (r Reason) String() string {
	if r < reasons {
		return reasonText[r]
	}
	return "reason_out_of_range"
}

// Reasons is the number of reasons, for counters indexed by Reason.
const Reasons = int(reasons)
