SELECT * FROM workers WHERE state <> 'dead'
