package wire

import (
	"math/rand/v2"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestClientID_goesThroughBothForms(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	plain := regexp.MustCompile(`^[a-zA-Z0-9-_]{1,36}$`)
	for range 2000 {
		id := rnd.Uint64() >> rnd.UintN(64)
		text := AppendClientID(nil, id)
		require.Regexp(t, plain, string(text))
		got, ok := ParseClientID(text)
		require.True(t, ok)
		require.Equal(t, id, got)
		text = AppendClientUUID(nil, id)
		require.Regexp(t, uuid, string(text))
		got, ok = ParseClientUUID(text)
		require.True(t, ok)
		require.Equal(t, id, got)
	}
	for _, foreign := range []string{"", "x", "op1-123", "op1-000000000000000G", "web_0f8fad5bd9cb469fa16570867728950e", "0f8fad5b-d9cb-469f-a165-70867728950e"} {
		_, ok := ParseClientID([]byte(foreign))
		require.False(t, ok, foreign)
		_, ok = ParseClientUUID([]byte(foreign))
		require.False(t, ok, foreign)
	}
}
