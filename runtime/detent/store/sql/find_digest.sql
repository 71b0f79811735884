SELECT seq FROM digest WHERE id = 1
