/**
 * What a run may spend on models, and what it has spent, over all roles. The most that a call can cost is set aside before it is made; so no
 * sequence of answers, however long they are, takes a run over its budget.
 */

/** A limit that is absent does not stop anything. */
export interface SpendingLimits {
  dollars?: number;
  /** Input and output together. */
  tokens?: number;
  calls?: number;
}

export interface Amount {
  /** 0 where the price is not known. */
  dollars: number;
  tokens: number;
}

/** Money, tokens or calls are used up. */
export class BudgetSpent extends Error {
  readonly what: keyof SpendingLimits;

  constructor(what: keyof SpendingLimits, limit: number, left: number, needed: number) {
    const say = (value: number) => (what === 'dollars' ? `$${value.toFixed(4)}` : `${Math.round(value)} ${what}`);
    super(
      `The budget of ${say(limit)} for models is used up: ${say(Math.max(0, left))} left, and the next call can take ${say(needed)}.`,
    );
    this.name = 'BudgetSpent';
    this.what = what;
  }
}

/** What was set aside for one call. */
export interface Reservation {
  /** The most that the call can take. */
  readonly most: Amount;
  /** Ends the reservation with what the call took; undefined: nothing, and it does not count as a call. */
  settle(taken: Amount | undefined): void;
}

export class Ledger {
  readonly #limits: SpendingLimits;
  readonly #spent = { dollars: 0, tokens: 0, calls: 0 };
  readonly #setAside = { dollars: 0, tokens: 0, calls: 0 };

  /** `spent`: before, in this run, by an earlier process. */
  constructor(limits: SpendingLimits, spent: Readonly<Record<keyof SpendingLimits, number>>) {
    this.#limits = limits;
    for (const what of keys) this.#spent[what] = spent[what];
  }

  get spent(): Readonly<Record<keyof SpendingLimits, number>> {
    return { ...this.#spent };
  }

  /** Sets aside the most that a call can take. Throws BudgetSpent where that is not left. */
  reserve(most: Amount): Reservation {
    const asked = { ...most, calls: 1 };
    for (const what of keys) {
      const limit = this.#limits[what];
      if (limit === undefined) continue;
      const left = limit - this.#spent[what] - this.#setAside[what];
      // Dollars are sums of fractions: the last bit of a sum is no money.
      if (asked[what] > left + 1e-9 * limit) throw new BudgetSpent(what, limit, left, asked[what]);
    }
    for (const what of keys) this.#setAside[what] += asked[what];
    let open = true;
    return {
      most,
      settle: (taken) => {
        if (!open) throw new Error('a reservation is settled once');
        open = false;
        for (const what of keys) this.#setAside[what] -= asked[what];
        if (!taken) return;
        this.#spent.dollars += taken.dollars;
        this.#spent.tokens += taken.tokens;
        this.#spent.calls += 1;
      },
    };
  }
}

const keys = ['dollars', 'tokens', 'calls'] as const;
