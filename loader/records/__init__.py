"""What a record is: its form, the check that admits it, and its canonical bytes. No I/O."""
