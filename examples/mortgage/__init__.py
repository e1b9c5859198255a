"""Who may have a mortgage: a lender's model that must not know its applicants' race, nor guess it."""
