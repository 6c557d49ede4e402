import { describeAdapter, type AdapterWorld } from './adapter-contract.js';
import { FakeNetwork } from './fake-network.js';

describeAdapter('fake', {
  codec: new FakeNetwork().codec,
  alice: new FakeNetwork().address('alice'),
  elsewhere: new FakeNetwork().address('elsewhere'),
  async open(): Promise<AdapterWorld> {
    const adapter = new FakeNetwork();
    return {
      adapter,
      write: (letter) => adapter.write({ from: 'alice', ...letter }),
      setMood: (mood) => adapter.setMood('alice', mood),
      stalled: () => adapter.stalled,
      arrived: () => adapter.arrived.map((parcel) => Buffer.from(JSON.stringify(parcel))),
      ports: () => [],
      close: async () => {},
    };
  },
});
