SELECT name, holder, until FROM leaders
