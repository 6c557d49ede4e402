import { describe, expect, it } from '@jest/globals';
import { MalformedCapabilitiesError } from './errors.js';
import { deliveryServicePropertiesResult, parseDeliveryServiceProperties } from './properties.js';

const defaults = {
  messageTTL: 0,
  sizeLimit: 100_000,
  notificationChannel: [],
  metricsCollectionIntervalInSeconds: 86_400,
  metricsRetentionDurationInSeconds: 864_000,
};

describe('delivery service properties', () => {
  it('are a JSON string and read back unchanged', () => {
    const own = {
      messageTTL: 30,
      sizeLimit: 20_000_000,
      notificationChannel: [{ type: 'EMAIL', config: {} }],
      metricsCollectionIntervalInSeconds: 3_600,
      metricsRetentionDurationInSeconds: 86_400,
    };
    const text = deliveryServicePropertiesResult(own);
    expect(JSON.parse(text)).toEqual(own);
    expect(parseDeliveryServiceProperties(text)).toEqual(own);
    expect(parseDeliveryServiceProperties(JSON.parse(text))).toEqual(own);
  });

  it('fall back to the reference’s defaults', () => {
    expect(parseDeliveryServiceProperties({ sizeLimit: 5 })).toEqual({ ...defaults, sizeLimit: 5 });
  });

  it.each(['text', 'null', { sizeLimit: '5' }, { sizeLimit: -1 }, [1]])('refuse %j', (value) => {
    expect(() => parseDeliveryServiceProperties(value)).toThrow(MalformedCapabilitiesError);
  });
});
