package app

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSim_servesRecordingsEachVenueAtItsOwnAddress(t *testing.T) {
	r := run(t, "sim", "--recording", recorded(t, "binance/us-spot-4sym-20211012.jsonl.gz"), "--recording", recorded(t, "coinbase/advanced-l2-btc-eth-20260809.jsonl.gz"),
		"--speed", "10", "--for", "10ms")
	require.Equal(t, ExitOK, r.code, r.err)
	require.Contains(t, r.out, "binance: --ws binance=ws://127.0.0.1:")
	require.Contains(t, r.out, "coinbase: --ws coinbase=ws://127.0.0.1:")
}

func TestSim_refusesWhatItCannotReplay(t *testing.T) {
	r := run(t, "sim", "--recording", "no-such-file.jsonl")
	require.Equal(t, ExitInput, r.code)
	r = run(t, "sim", "--recording", "no-such-file.jsonl", "--speed", "0")
	require.Equal(t, ExitUsage, r.code)
	require.Contains(t, r.err, "--speed 0")
}
