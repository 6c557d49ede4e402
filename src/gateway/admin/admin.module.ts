import { Module, type DynamicModule } from '@nestjs/common';
import { Database } from '../../storage/database.js';
import { AdminController } from './admin.controller.js';
import { AdminGuard } from './admin.guard.js';
import { AdminService } from './admin.service.js';

/** A second, small application on the admin port, over the services of the main one. */
@Module({})
export class AdminModule {
  static forServices(db: Database, admin: AdminService): DynamicModule {
    return {
      module: AdminModule,
      controllers: [AdminController],
      providers: [AdminGuard, { provide: Database, useValue: db }, { provide: AdminService, useValue: admin }],
    };
  }
}
