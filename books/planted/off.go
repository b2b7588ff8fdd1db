//go:build !planted

package planted

// On reports whether a fault is planted.
func On(Bug) bool { return false }
