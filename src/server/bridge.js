// The bridge from Agora to Rollbook.
