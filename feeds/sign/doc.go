// Package sign proves to the venues who we are: it holds secrets without ever showing them, and makes the signatures and
// tokens that requests carry.
//
// Ownership: a Secret belongs to whoever loaded it; it is read while signers are built and then closed. Signers copy what
// they need. HMAC, Binance and Kraken belong to one goroutine at a time; Ed25519, Coinbase, Pool and Nonces are safe for
// all. No clock is read but the one given to a Pool, and no config at all.
//
// Decisions
//   - 2026-11-25: the states of the two key blocks of an HMAC are saved and put back by the standard digests' own
//     AppendBinary and UnmarshalBinary. hash.Cloner allocates, crypto/hmac.Reset goes through more interfaces, and a SHA-2
//     of our own would lose the assembly.
//   - 2026-11-25: ES256 is deterministic (RFC 6979), so that published vectors can check it and no random source is
//     needed; both of its users verify by the public key alone.
//   - 2026-11-25: a secret's bytes and a signer's keys stand behind function values. Formatting by reflection reaches
//     unexported fields, and with a verb that does not fit it even follows pointers inside them; of a function it sees the
//     address and nothing else.
//   - 2026-11-25: measured by the benchmarks here, as ratios in one run: a prepared HMAC-SHA256 costs 1.4 (250 bytes) to 1.6
//     (150 bytes) bare hashes of the message, hmac.New with hex over 3 times as much, Kraken's signature in line 3.4 times; a
//     token of the pool is some 900 (ES256) and 1500 (EdDSA) times faster than one made in line.
//   - 2026-11-25: closing overwrites what is ours to overwrite. Copies inside crypto/x509, crypto/ecdsa and the process's
//     environment block are beyond reach and are left to the garbage collector and the kernel.
package sign
