// Package sign proves to the venues who we are: it holds secrets without ever
// showing them, and makes the signatures and tokens that requests carry.
package sign
