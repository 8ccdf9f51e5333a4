"""What a document says to the model that will read it, or against people: looked for before it is
indexed. Everything takes time that is linear in the text.
"""
