package books

import "oneprice/books/venue"

// Rows is Levels without regard to a newer venue touch: every level of the side as the book has it, best first.
func (b *Book) Rows(side venue.Side) Cursor { return b.side(side).start() }
