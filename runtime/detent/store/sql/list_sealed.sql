SELECT env, name, sealed FROM variables
