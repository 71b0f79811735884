SELECT env FROM waitpoints WHERE id = :id
